// SPDX-License-Identifier: MIT

import Foundation
import IntegrationSupport

/// A command as unpleasant as they come.
///
/// It ignores SIGTERM, has children in its group, one in a session of its own, and a daemon that forked twice. Each process notes its number in `pids`; a new command notes in `overlap` whoever of an
/// earlier one is still alive.
struct Worker {
    static let processes = 4

    let directory: Directory
    let group = "jobs"

    init(_ directory: Directory) throws {
        self.directory = directory
        try directory.write(
            """
            alive() { [ -e /proc/$1 ] && ! grep -q '^State:[[:space:]]*[ZX]' /proc/$1/status 2>/dev/null; }
            for pid in $(cat pids 2>/dev/null); do
                if alive $pid; then echo "term $ELECT_TERM sees $pid" >> overlap; fi
            done
            : > pids
            trap '' TERM
            echo $$ >> pids
            sh -c 'echo $$ >> pids; while :; do sleep 0.2; done' &
            setsid sh -c 'echo $$ >> pids; while :; do sleep 0.2; done' &
            (setsid sh -c 'sh -c "echo \\$\\$ >> pids; while :; do sleep 0.2; done" & exit 0' &)
            while [ $(wc -l < pids) -lt \(Self.processes) ]; do sleep 0.01; done
            echo $ELECT_TERM >> terms
            while :; do sleep 0.2; done

            """,
            to: "worker.sh"
        )
    }

    /// Starts a candidate that runs the worker.
    func elect(_ store: Store, _ options: [String] = ["--lease-duration", "2s"]) throws -> ElectProcess {
        let arguments = ["run", "--provider", store.url(in: directory), "--group", group] + options
        return try ElectProcess(arguments + ["--", "sh", "worker.sh"], in: directory)
    }

    var terms: [String] { directory.lines(of: "terms") }
    var overlaps: [String] { directory.lines(of: "overlap") }
    var pids: [pid_t] { directory.lines(of: "pids").compactMap { pid_t($0) } }

    /// Waits until so many commands have come up and returns the processes of the last one.
    func started(_ count: Int) async throws -> [pid_t]? {
        guard try await eventually({ self.terms.count >= count }) else { return nil }
        return pids
    }
}
