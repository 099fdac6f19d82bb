// SPDX-License-Identifier: MIT

internal import ElectionSimulation
package import Foundation
internal import LeaderElection

/// What several processes wrote down with `elect campaign --history`, one file each, on one machine and so on one clock.
package struct History {
    package struct Line: Decodable, Sendable {
        package var kind: String
        package var group: String
        package var event: String?
        package var op: String?
        package var phase: String?
        package var leading: Bool?
        package var term: Int64?
        package var nonce: String?
        package var instant: Int64?
        package var before: Int64?
        package var after: Int64?
        package var validUntil: Int64?

        enum CodingKeys: String, CodingKey {
            case kind, group, event, op, phase, leading, term, nonce
            case instant = "t_ns"
            case before = "t0_ns"
            case after = "t1_ns"
            case validUntil = "valid_until_ns"
        }

        /// When it happened, as far as the one who wrote it knows.
        package var time: Int64 { instant ?? before ?? 0 }
    }

    /// The lines of each process, in the order in which it wrote them.
    package var processes: [[Line]]

    package init(files: [URL]) throws {
        processes = try files.map { file in
            let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
            // The process may be writing: its last line counts once it is whole.
            let whole = text.lastIndex(of: "\n").map { text[..<$0] } ?? ""
            return try whole.split(separator: "\n").map {
                try JSONDecoder().decode(Line.self, from: Data($0.utf8))
            }
        }
    }

    package init(processes: [[Line]]) { self.processes = processes }

    /// Every promise that this history breaks; SAFETY's C1 to C3 and S7.
    package var violations: [String] {
        exclusion() + afterRelease() + order()
    }

    // MARK: C1: nobody leads while another does

    private struct Span {
        var process: Int
        var term: Int64
        var start: Int64
        var end: Int64
    }

    /// Bounds that are certain: from after the first answer of a row until before the last.
    private func spans(of group: String) -> [Span] {
        var spans: [Span] = []
        for (process, lines) in processes.enumerated() {
            var open: Span?
            for line in lines where line.kind == "claim" && line.group == group {
                guard let before = line.before, let after = line.after else { continue }
                if line.leading == true, let term = line.term, open.map({ $0.term == term }) ?? true {
                    open = open ?? Span(process: process, term: term, start: after, end: before)
                    open?.end = before
                    continue
                }
                if let span = open { spans.append(span) }
                open =
                    line.leading == true
                    ? line.term.map { Span(process: process, term: $0, start: after, end: before) } : nil
            }
            if let span = open { spans.append(span) }
        }
        return spans.filter { $0.start <= $0.end }.sorted { $0.start < $1.start }
    }

    private func exclusion() -> [String] {
        groups.flatMap { group -> [String] in
            var found: [String] = []
            var last: Span?
            for span in spans(of: group) {
                if let last, last.process != span.process, span.start <= last.end {
                    let overlap = Double(min(last.end, span.end) - span.start) / 1e6
                    found.append(
                        """
                        C1: processes \(last.process) (term \(last.term)) and \(span.process) (term \(span.term)) \
                        both claim to lead \(group) for \(overlap) ms
                        """
                    )
                }
                if last.map({ $0.end < span.end }) ?? true { last = span }
            }
            return found
        }
    }

    // MARK: S7: whose release was answered claims nothing more

    private func afterRelease() -> [String] {
        processes.enumerated().flatMap { process, lines -> [String] in
            var released: [String: (term: Int64, at: Int64)] = [:]
            return lines.compactMap { line in
                if line.op == "release", line.phase == "ok", let term = line.term {
                    released[line.group] = (term, line.time)
                }
                guard line.leading == true, let last = released[line.group], line.term == last.term,
                    (line.before ?? 0) > last.at
                else { return nil }
                return "S7: process \(process) claims to lead \(line.group) in term \(last.term) after its release"
            }
        }
    }

    // MARK: C2, C3: terms grow and do not come back, as the simulation's checker knows it

    private func order() -> [String] {
        let names = groups
        var checker = Checker(groups: names.count) { Int64($0.components.seconds) * 1_000_000_000 }
        let all = processes.enumerated().flatMap { process, lines in lines.map { (process: process, line: $0) } }
        func number(_ group: String) -> Int { names.firstIndex(of: group) ?? 0 }
        for (_, line) in all where line.op == "acquire" && line.phase == "ok" {
            guard let term = line.term, let nonce = line.nonce.flatMap({ Nonce($0) }) else { continue }
            checker.granted(term, to: nonce, group: number(line.group), isNew: false)
        }
        for (process, line) in all.sorted(by: { $0.line.time < $1.line.time }) {
            let group = number(line.group)
            if line.kind == "claim" {
                let term = line.leading == true ? line.term : nil
                checker.read([.init(process: process, group: group, term: term)], at: line.time) { _, _ in nil }
            } else if let operation = Self.operation(line) {
                checker.audited(operation, process: process, group: group, leads: false)
            }
        }
        return checker.violation.map { [$0.description] } ?? []
    }

    private static func operation(_ line: Line) -> ElectionOperation? {
        guard let kind = line.op.flatMap(ElectionOperation.Kind.init(rawValue:)),
            let phase = line.phase.flatMap(ElectionOperation.Phase.init(rawValue:)),
            let nonce = line.nonce.flatMap({ Nonce($0) }), let group = try? ElectionGroup(line.group)
        else { return nil }
        return ElectionOperation(
            group: group,
            kind: kind,
            phase: phase,
            term: line.term,
            nonce: nonce,
            instant: ElectionInstant(nanoseconds: line.time)
        )
    }

    private var groups: [String] { Set(processes.flatMap { $0.map(\.group) }).sorted() }
}
