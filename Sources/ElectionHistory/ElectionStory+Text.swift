// SPDX-License-Identifier: MIT

extension ElectionStory {
    /// The story in plain sentences, one a line; times count from the beginning of the history.
    package var sentences: [String] {
        guard let first = terms.first else {
            return ["\(group): nobody led in \(Self.text(range.upperBound - range.lowerBound))."]
        }
        var lines = [summary]
        var end = first.start
        for term in terms {
            if term.start > end {
                let cause = deferrals.first { (end..<term.start).contains($0.time) }
                lines.append(
                    "\(time(end))  Nobody leads for \(Self.text(term.start - end))\(cause.map { ": \($0.reason)" } ?? "")."
                )
            } else if term.start < end {
                // Two bounds that are not exact, or two leaders: only the audit can tell.
                lines.append("\(time(term.start))  The next leader begins before the last is known to have ended.")
            }
            end = max(end, term.end)
            lines.append("\(time(term.start))  \(sentence(term))")
        }
        return lines
    }

    private var summary: String {
        let leaders = Set(terms.map(\.leader)).count
        let span = max(1, (terms.map(\.end).max() ?? 0) - (terms.first?.start ?? 0))
        let without = gaps.reduce(0) { $0 + $1.upperBound - $1.lowerBound }
        // Rounded down, so that 100 % means that there was no gap.
        let share = Double((span - without) * 10_000 / span) / 100
        var text = "\(group): \(Self.count(terms.count, "term")) of \(Self.count(leaders, "leader"))"
        text += " in \(Self.text(span)); somebody led for \(share) % of that time"
        if let longest = gaps.map({ $0.upperBound - $0.lowerBound }).max() {
            text += ", and the longest gap was \(Self.text(longest))"
        }
        return text + "."
    }

    private func sentence(_ term: Term) -> String {
        var text = "\(term.leader) leads in term \(term.number)"
        switch term.ending {
        case .open: text += ", and still does \(Self.text(term.end - term.start)) later."
        case .silent:
            text += " and is not heard of again: killed, stopped, or cut off; it could lead for at most "
            text += "\(Self.text(term.end - term.start))."
        case .lost(let reason): text += " for \(Self.text(term.end - term.start)); \(Self.explanation(of: reason))."
        }
        if term.renewals + term.failedRenewals > 0 {
            text += " \(Self.count(term.renewals, "renewal"))"
            if term.failedRenewals > 0 { text += ", \(term.failedRenewals) more failed" }
            if let margin = term.leastMargin { text += ", at least \(Self.text(margin)) before the deadline" }
            text += "."
        }
        for danger in term.jeopardy {
            text += " In jeopardy from \(time(danger.lowerBound)) on, for "
            text += "\(Self.text(danger.upperBound - danger.lowerBound))."
        }
        return text
    }

    private static func explanation(of reason: String) -> String {
        switch reason {
        case "expired": "its lease ran out: the store did not answer in time, or the process was paused"
        case "superseded": "the store said that the lease was not its own any more"
        case "resigned": "it resigned"
        case "transferred": "it handed the lease to another candidate"
        case "evicted": "an operator took leadership away"
        case "suspended": "it was suspended"
        case "unhealthy": "its own health check failed"
        case "stopped": "it was stopped, and gave the lease back"
        case "clock-jumped": "its wall clock jumped, as after a pause that no other clock shows"
        default: "it was told \"\(reason)\""
        }
    }

    private static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

    /// Seconds since the beginning of the history, to the millisecond.
    func time(_ instant: Int64) -> String {
        let milliseconds = (instant - range.lowerBound) / 1_000_000
        return "\(milliseconds / 1000).\(String(milliseconds % 1000 + 1000).dropFirst()) s"
    }

    /// A length of time with three digits that mean something.
    static func text(_ nanoseconds: Int64) -> String {
        let (number, unit): (Double, String) =
            switch abs(nanoseconds) {
            case 0: (0, "s")
            case 3_600_000_000_000...: (Double(nanoseconds) / 3.6e12, "h")
            case 120_000_000_000...: (Double(nanoseconds) / 6e10, "min")
            case 1_000_000_000...: (Double(nanoseconds) / 1e9, "s")
            case 1_000_000...: (Double(nanoseconds) / 1e6, "ms")
            default: (Double(nanoseconds) / 1e3, "us")
            }
        let scale = abs(number) < 10 ? 100.0 : abs(number) < 100 ? 10 : 1
        let rounded = (number * scale).rounded() / scale
        return (rounded == rounded.rounded() ? "\(Int64(rounded))" : "\(rounded)") + " \(unit)"
    }
}
