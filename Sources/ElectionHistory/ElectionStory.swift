// SPDX-License-Identifier: MIT

/// Who led one group, when, and why each term began and ended, as far as a history tells.
package struct ElectionStory: Sendable {
    /// How a term ended.
    package enum Ending: Hashable, Sendable {
        /// The leader was told, for this reason.
        case lost(reason: String)
        /// The leader was never heard of again: killed, stopped, or its machine is gone.
        case silent
        /// The history ends earlier.
        case open
    }

    /// One term of one leader.
    package struct Term: Hashable, Sendable {
        package var number: Int64
        package var leader: String
        package var start: Int64
        /// When it is known to have been over; the last deadline where nobody told.
        package var end: Int64
        package var ending: Ending
        package var renewals = 0
        package var failedRenewals = 0
        /// What was left of the lease when the narrowest renewal was answered, in nanoseconds.
        package var leastMargin: Int64?
        /// From the first renewal that failed until one succeeded or the term ended.
        package var jeopardy: [Range<Int64>] = []
    }

    package var group: String
    /// In the order of their beginning.
    package var terms: [Term]
    /// When a candidate was told that the store let nobody lead, and why; in order.
    package var deferrals: [(time: Int64, reason: String)]
    /// The first and the last instant that anything is known of.
    package var range: ClosedRange<Int64>

    /// Nil if nothing is known of the group.
    package init?(_ group: String, in history: History) {
        let part = history.only(group)
        let times = part.processes.flatMap { $0.lines.map(\.time) }
        guard let first = times.min(), let last = times.max() else { return nil }
        self.group = group
        range = first...last
        deferrals = part.processes.flatMap(\.lines)
            .compactMap { line in line.event == "deferred" ? line.reason.map { (line.time, $0) } : nil }
            .sorted { $0.0 < $1.0 }
        terms = part.processes.flatMap { Self.terms(of: $0, until: last) }.sorted {
            ($0.start, $0.number) < ($1.start, $1.number)
        }
        // A leader of whom nothing more is known ended at the latest when the next one began.
        for index in terms.indices.dropLast() where [.silent, .open].contains(terms[index].ending) {
            terms[index].ending = .silent
            terms[index].end = min(terms[index].end, max(terms[index].start, terms[index + 1].start))
        }
    }

    /// When nobody led, between the first term and the last.
    package var gaps: [Range<Int64>] {
        var gaps: [Range<Int64>] = []
        var end = terms.first?.start ?? 0
        for term in terms {
            if term.start > end { gaps.append(end..<term.start) }
            end = max(end, term.end)
        }
        return gaps
    }

    private static func terms(of process: History.Process, until last: Int64) -> [Term] {
        var terms: [Term] = []
        var deadline: Int64?
        var jeopardySince: Int64?
        func isOpen() -> Bool { terms.last?.ending == .open }
        func close(_ ending: Ending, at time: Int64) {
            guard isOpen(), let term = terms.popLast() else { return }
            var closed = term
            closed.end = max(term.start, time)
            closed.ending = ending
            if let since = jeopardySince, since < closed.end { closed.jeopardy.append(since..<closed.end) }
            (deadline, jeopardySince) = (nil, nil)
            terms.append(closed)
        }
        for line in process.lines {
            switch (line.kind, line.event) {
            case (.event, "acquired"):
                guard let number = line.term else { continue }
                close(.silent, at: deadline ?? line.time)
                terms.append(
                    Term(
                        number: number,
                        leader: line.candidate ?? process.name,
                        start: line.time,
                        end: line.time,
                        ending: .open
                    )
                )
                deadline = line.validUntil
            case (.event, "lost"):
                // A process that was paused is told late; what it claims ended with the deadline.
                close(.lost(reason: line.reason ?? "unknown"), at: min(line.time, deadline ?? line.time))
            case (.event, "ready"):
                // The same candidate was started again: what went before it ended without a word.
                close(.silent, at: min(deadline ?? line.time, line.time))
            case (.event, "jeopardy"): jeopardySince = jeopardySince ?? line.time
            case (.event, "recovered"):
                if let since = jeopardySince, isOpen(), since < line.time {
                    terms[terms.count - 1].jeopardy.append(since..<line.time)
                }
                jeopardySince = nil
            case (.op, _) where line.op == "renew" && isOpen() && terms.last?.number == line.term:
                switch line.phase {
                case "ok":
                    terms[terms.count - 1].renewals += 1
                    if let deadline {
                        let margin = deadline - line.time
                        terms[terms.count - 1].leastMargin = min(terms[terms.count - 1].leastMargin ?? margin, margin)
                    }
                    deadline = max(deadline ?? .min, line.validUntil ?? .min)
                case "unknown", "fail": terms[terms.count - 1].failedRenewals += 1
                default: break
                }
            default: break
            }
        }
        if isOpen() {
            // A process that writes nothing more while others go on is gone; its deadline is the last that it could lead.
            if let deadline, deadline < last {
                close(.silent, at: deadline)
            } else {
                close(.open, at: last)
            }
        }
        return terms
    }
}
