// SPDX-License-Identifier: MIT

package import ElectionHistory
internal import Foundation

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// One `elect campaign` for one group, which writes down every operation, event, and answer.
package final class ElectCandidate {
    package let name: String
    package let process: ElectProcess
    private let file: URL

    /// Starts it.
    package init(
        _ name: String,
        group: String = "g",
        provider: String,
        lease: String = "2s",
        in directory: Directory,
        options: [String] = []
    ) throws {
        self.name = name
        file = directory.url.appending(path: "history-\(name)")
        process = try ElectProcess(
            [
                "campaign", "--provider", provider, "--group", group, "--candidate", name, "--lease-duration", lease,
                "--events", "json", "--verbose", "--history", file.path, "--sample-interval", "2ms",
            ] + options,
            in: directory
        )
    }

    /// What it has written down so far.
    package var lines: [HistoryLine] { (try? History(files: [file]))?.processes.first?.lines ?? [] }

    /// The terms that it was told it leads in.
    package var terms: [Int64] { lines.filter { $0.event == "acquired" }.compactMap(\.term) }

    /// Whether its last answer was that it leads, in a term that was announced.
    package var leads: Bool {
        let lines = lines
        guard let claim = lines.last(where: { $0.kind == .claim }), claim.leading == true else { return false }
        return lines.contains { $0.event == "acquired" && $0.term == claim.term }
    }

    /// Whether its last answer was that it does not lead.
    package var denies: Bool { lines.last { $0.kind == .claim }?.leading == false }

    /// How many error events there were.
    package var errors: Int { lines.filter { $0.event == "error" }.count }

    /// The instant until which the store may keep others off at most: a lease from the last request on.
    package func leaseEnd(lease: Int64) -> Int64 {
        let asked = lines.filter { ($0.op == "acquire" || $0.op == "renew") && $0.phase == "send" }
        return (asked.last?.time ?? 0) + lease
    }

    package func freeze() { process.send(SIGSTOP) }
    package func thaw() { process.send(SIGCONT) }
    package func kill() { process.send(SIGKILL) }
    package func terminate() { process.send(SIGTERM) }

    /// Nanoseconds on the clock of all histories.
    package static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

extension Array where Element == ElectCandidate {
    /// Waits until one of them leads.
    package func leader(within seconds: Double = 30) async throws -> ElectCandidate? {
        var found: ElectCandidate?
        _ = try await eventually(within: seconds) {
            found = first { $0.leads }
            return found != nil
        }
        return found
    }

    /// The promises that they broke together.
    package var violations: [HistoryAudit.Violation] {
        HistoryAudit(History(processes: map { .init(name: $0.name, lines: $0.lines) })).violations
    }
}
