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

/// Tells events to people or to programs.
struct EventPrinter: Sendable {
    enum Format: String, CaseIterable, Sendable {
        case json
        case text
    }

    /// What can change while it prints; all copies of a printer share it.
    private final class Tone: Sendable {
        let state: Mutex<(format: Format, verbose: Bool)>
        init(format: Format, verbose: Bool) { state = Mutex((format, verbose)) }
    }

    private let tone: Tone
    /// 1 for standard output, 2 for standard error.
    let descriptor: Int32

    init(format: Format, verbose: Bool, descriptor: Int32 = 1) {
        tone = Tone(format: format, verbose: verbose)
        self.descriptor = descriptor
    }

    var format: Format { tone.state.withLock { $0.format } }
    var verbose: Bool { tone.state.withLock { $0.verbose } }

    /// From the next event on.
    func change(format: Format, verbose: Bool) { tone.state.withLock { $0 = (format, verbose) } }

    /// Whether it prints such an event, as it is set up now.
    func prints(_ event: ElectionEvent) -> Bool {
        switch event.kind {
        case .renewed, .renewalFailed: verbose
        default: true
        }
    }

    /// False once nobody reads any more.
    func print(_ event: ElectionEvent) -> Bool {
        guard prints(event) else { return true }
        let format = format
        let isSeenAnyway = format == .text && isatty(1) == 1 && isatty(2) == 1
        if let error = event.error, descriptor == 1, !isSeenAnyway {
            Output.complain("\(Output.printable(event.group.name)): \(error.message)")
        }
        switch format {
        case .json: return Output.writeLine(Self.json(event).description, to: descriptor)
        case .text: return Output.writeLine(text(event), to: descriptor)
        }
    }

    /// Tells who waits for leadership, the next to be chosen first.
    func print(waiting candidates: [ListedCandidate], in group: ElectionGroup) {
        switch format {
        case .json:
            var line = JSONLine()
            line.add("event", "candidates")
            line.add("group", group.name)
            line.add("candidates", candidates.map(\.candidate.id))
            // In the same order, where the store has a queue at all.
            if candidates.contains(where: { $0.position != nil }) { line.add("positions", candidates.map(\.position)) }
            line.add("t_ns", ElectionInstant.now.nanoseconds)
            _ = Output.writeLine(line.description, to: descriptor)
        case .text:
            let names = candidates.map { listed in
                let place = listed.position.map { " (number \($0) in line)" } ?? ""
                return Output.printable(listed.candidate.id) + place
            }
            let name = "waiting".padded(to: 9)
            _ = Output.writeLine(
                "\(Self.timeOfDay())  \(name)  \(Output.printable(group.name))  "
                    + (names.isEmpty ? "nobody" : names.joined(separator: ", ")),
                to: descriptor
            )
        }
    }

    /// The fields that scripts rely on; see the chapter on the command in the documentation.
    static func json(_ event: ElectionEvent, kind: String? = nil) -> JSONLine {
        var line = JSONLine()
        if let kind { line.add("kind", kind) }
        line.add("event", event.kind.rawValue)
        line.add("group", event.group.name)
        line.add("candidate", event.candidate)
        line.add("term", event.term)
        line.add("leader", event.leader?.id)
        line.add("reason", event.error.map { "\($0.code): \($0.message)" } ?? event.reason?.rawValue)
        line.add("t_ns", event.instant.nanoseconds)
        line.add("valid_until_ns", event.validUntil?.nanoseconds)
        line.add("retry_at_ns", event.retryAt?.nanoseconds)
        return line
    }

    private func text(_ event: ElectionEvent) -> String {
        let name = event.kind.rawValue.padded(to: 9)
        var text = "\(Self.timeOfDay())  \(coloured(name, event.kind))  \(Output.printable(event.group.name))"
        if let term = event.term { text += "  term \(term)" }
        switch event.kind {
        case .changed: text += "  leader \(event.leader.map { Output.printable($0.id) } ?? "(nobody)")"
        case .ready: text += "  as \(Output.printable(event.candidate))"
        case .acquired, .renewed, .jeopardy, .recovered:
            if let until = event.validUntil {
                text += "  valid for \((until - event.instant).text())"
            }
        case .deferred:
            if let retry = event.retryAt { text += "  for \((retry - event.instant).text())" }
        default: break
        }
        if let reason = event.reason { text += "  (\(Output.printable(reason.rawValue)))" }
        if let error = event.error { text += "  \(Output.printable(error.message))" }
        return text
    }

    private func coloured(_ text: String, _ kind: ElectionEvent.Kind) -> String {
        guard Output.isColourful(descriptor) else { return text }
        let colour: Int? =
            switch kind {
            case .acquired, .recovered: 32
            case .lost, .error: 31
            case .jeopardy, .renewalFailed, .deferred: 33
            case .changed: 36
            default: nil
            }
        return colour.map { "\u{1B}[\($0)m\(text)\u{1B}[0m" } ?? text
    }

    static func timeOfDay() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var local = tm()
        localtime_r(&now.tv_sec, &local)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let milliseconds = String(now.tv_nsec / 1_000_000 + 1000).dropFirst()
        return "\(two(local.tm_hour)):\(two(local.tm_min)):\(two(local.tm_sec)).\(milliseconds)"
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}
