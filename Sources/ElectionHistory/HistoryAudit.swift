// SPDX-License-Identifier: MIT

/// Holds a history against the promises of an election: each check can be made by anybody who has the files.
///
/// A check uses only what is certain: an overlap counts from *after* the first answer of one process to *before* the
/// last of the other, so that no sampling error raises a false alarm.
package struct HistoryAudit: Sendable {
    /// A promise of the package.
    package enum Promise: String, CaseIterable, Sendable {
        /// At most one process reads "I lead" at any instant.
        case exclusion
        /// Terms only grow, and none is granted twice.
        case termOrder = "term-order"
        /// A term that was over never leads again.
        case noResurrection = "no-resurrection"
        /// Nobody claims to lead after the deadline that the last answer of the store allowed.
        case deadline
        /// Who gives the lease back has stopped leading before.
        case relinquishFirst = "relinquish-first"
        /// Events come in order: acquired before lost, terms never smaller than before.
        case eventOrder = "event-order"
    }

    /// A broken promise.
    package struct Violation: Hashable, Sendable {
        package var promise: Promise
        package var group: String
        /// Nanoseconds on the boot clock.
        package var time: Int64
        package var explanation: String
    }

    /// In the order of time.
    package let violations: [Violation]

    package init(_ history: History) {
        violations = history.groups.flatMap { group -> [Violation] in
            let part = history.only(group)
            return Self.exclusion(part, group) + Self.termOrder(part, group)
                + part.processes.flatMap { Self.promises(of: $0, group) }
        }
        .sorted { ($0.time, $0.explanation) < ($1.time, $1.explanation) }
    }

    // MARK: Between processes

    private struct Span {
        var process: String
        var term: Int64
        var start: Int64
        var end: Int64
    }

    /// Each row of claims of one term, by bounds that are certain.
    private static func spans(of process: History.Process) -> [Span] {
        var spans: [Span] = []
        var open: Span?
        for line in process.lines where line.kind == .claim {
            guard let before = line.before, let after = line.after else { continue }
            if let term = line.claimedTerm, open?.term == term {
                open?.end = before
                continue
            }
            if let span = open { spans.append(span) }
            open = line.claimedTerm.map { Span(process: process.name, term: $0, start: after, end: before) }
        }
        if let span = open { spans.append(span) }
        return spans.filter { $0.start <= $0.end }
    }

    private static func exclusion(_ history: History, _ group: String) -> [Violation] {
        var found: [Violation] = []
        var last: (number: Int, span: Span)?
        let all = history.processes.enumerated().flatMap { number, process in spans(of: process).map { (number, $0) } }
        for (number, span) in all.sorted(by: { $0.1.start < $1.1.start }) {
            if let last, last.number != number, span.start <= last.span.end {
                let overlap = Double(min(last.span.end, span.end) - span.start) / 1e6
                found.append(
                    Violation(
                        promise: .exclusion,
                        group: group,
                        time: span.start,
                        explanation: "\(last.span.process) (term \(last.span.term)) and \(span.process) (term "
                            + "\(span.term)) both claim to lead for \(overlap) ms"
                    )
                )
            }
            if last.map({ $0.span.end < span.end }) ?? true { last = (number, span) }
        }
        return found
    }

    private struct Grant {
        var term: Int64
        var nonce: String
        var process: String
        var sent: Int64
        var answered: Int64
    }

    private static func termOrder(_ history: History, _ group: String) -> [Violation] {
        let grants = history.processes.flatMap(Self.grants).sorted { $0.sent < $1.sent }
        func violation(_ grant: Grant, _ text: String) -> Violation {
            Violation(promise: .termOrder, group: group, time: grant.answered, explanation: text)
        }
        var found: [Violation] = []
        var holders: [Int64: Grant] = [:]
        for grant in grants {
            guard let other = holders.updateValue(grant, forKey: grant.term), other.nonce != grant.nonce else {
                continue
            }
            found.append(violation(grant, "term \(grant.term) was granted to \(other.process) and to \(grant.process)"))
        }
        // A grant that was asked for after another was answered has the larger term.
        let answered = grants.sorted { $0.answered < $1.answered }
        var next = answered.startIndex
        var largest: Grant?
        for grant in grants {
            while next < answered.endIndex, answered[next].answered < grant.sent {
                if answered[next].term > largest?.term ?? .min { largest = answered[next] }
                next += 1
            }
            if let largest, largest.term > grant.term {
                let text = "\(grant.process) was granted term \(grant.term) after \(largest.process) had been granted "
                found.append(violation(grant, text + "\(largest.term)"))
            }
        }
        return found
    }

    /// A repeated request for a lease that one holds already is no grant of its own.
    private static func grants(of process: History.Process) -> [Grant] {
        var sent: [String: Int64] = [:]
        var known: Set<String> = []
        return process.lines.compactMap { line in
            guard let nonce = line.nonce else { return nil }
            if line.isOperation("acquire", "send") {
                if sent[nonce] == nil { sent[nonce] = line.time }
            } else if line.isOperation("acquire", "ok"), let term = line.term, known.insert("\(nonce) \(term)").inserted
            {
                return Grant(
                    term: term,
                    nonce: nonce,
                    process: process.name,
                    sent: sent[nonce] ?? line.time,
                    answered: line.time
                )
            }
            return nil
        }
    }

    // MARK: Of one process

    private static func promises(of process: History.Process, _ group: String) -> [Violation] {
        var watch = ProcessWatch(name: process.name, group: group)
        for line in process.lines { watch.heard(line) }
        return watch.violations
    }
}
