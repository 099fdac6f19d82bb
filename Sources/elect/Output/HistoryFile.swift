// SPDX-License-Identifier: MIT

internal import CElectCommand
internal import CElectionSystem
internal import LeaderElection
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// An audit trail that several processes may append to: one `write` a line, so that a kill leaves whole lines only.
final class HistoryFile: Sendable {
    private let descriptor: Int32
    private let path: String
    private let hasFailed = Mutex(false)

    init(path: String) throws {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw CommandFailure.usage("--history: cannot append to \(path): \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    func append(_ operation: ElectionOperation, of candidate: String) {
        var line = JSONLine()
        line.add("kind", "op")
        line.add("group", operation.group.name)
        line.add("candidate", candidate)
        line.add("op", operation.kind.rawValue)
        line.add("phase", operation.phase.rawValue)
        line.add("term", operation.term)
        line.add("nonce", operation.nonce.description)
        line.add("t_ns", operation.instant.nanoseconds)
        line.add("valid_until_ns", operation.validUntil?.nanoseconds)
        append(line)
    }

    func append(_ event: ElectionEvent) {
        append(EventPrinter.json(event, kind: "event"))
    }

    func appendClaim(group: String, candidate: String, term: Int64?, before: Int64, after: Int64) {
        var line = JSONLine()
        line.add("kind", "claim")
        line.add("group", group)
        line.add("candidate", candidate)
        line.add("leading", term != nil)
        line.add("term", term)
        line.add("t0_ns", before)
        line.add("t1_ns", after)
        append(line)
    }

    /// A full disk does not end an election, but it is said once.
    private func append(_ line: JSONLine) {
        if Output.writeLine(line.description, to: descriptor) { return }
        let reason = String(cString: strerror(errno))
        let isFirst = hasFailed.withLock { failed in
            defer { failed = true }
            return !failed
        }
        if isFirst { Output.complain("the history in \(path) has gaps: \(reason)") }
    }
}
