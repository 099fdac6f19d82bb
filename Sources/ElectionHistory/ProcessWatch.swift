// SPDX-License-Identifier: MIT

/// Reads the lines of one process about one group in the order in which they were written.
struct ProcessWatch {
    let name: String
    let group: String
    private(set) var violations: [HistoryAudit.Violation] = []

    /// The largest term that was seen to be over, and when.
    private var over: (term: Int64, time: Int64)?
    private var claimed: Int64?
    private var deadlines: [Int64: Int64] = [:]
    private var released: (term: Int64, time: Int64)?
    private var acquired: Int64?
    private var lastEventTerm: Int64?
    private var hasReported: Set<String> = []

    init(name: String, group: String) {
        self.name = name
        self.group = group
    }

    mutating func heard(_ line: HistoryLine) {
        switch line.kind {
        case .claim: claim(line)
        case .op: operation(line)
        case .event: event(line)
        }
    }

    private mutating func claim(_ line: HistoryLine) {
        guard let before = line.before else { return }
        if let claimed, claimed != line.claimedTerm { ended(claimed, at: line.after ?? before) }
        claimed = line.claimedTerm
        guard let term = line.claimedTerm else { return }
        if let over, term <= over.term, before > over.time {
            let text = "\(name) claims term \(term) again, which was over"
            report(.noResurrection, before, text, once: "over \(term)")
        }
        if let deadline = deadlines[term], before > deadline {
            let late = Double(before - deadline) / 1e6
            report(.deadline, before, "\(name) claims term \(term) \(late) ms after its deadline", once: "late \(term)")
        }
        if let released, released.term == term, before > released.time {
            let text = "\(name) claims term \(term) after it has given it back"
            report(.relinquishFirst, before, text, once: "released \(term)")
        }
    }

    private mutating func operation(_ line: HistoryLine) {
        guard let term = line.term else { return }
        if line.phase == "ok", let until = line.validUntil { deadlines[term] = max(deadlines[term] ?? .min, until) }
        if line.op == "release", line.phase != "send" { released = (term, line.time) }
    }

    private mutating func event(_ line: HistoryLine) {
        if line.event == "ready" {
            // Another run of the same candidate tells its own story.
            (acquired, lastEventTerm) = (nil, nil)
        }
        guard let term = line.term, ["acquired", "renewed", "jeopardy", "recovered", "lost"].contains(line.event) else {
            return
        }
        if let last = lastEventTerm, term < last {
            report(.eventOrder, line.time, "\(name) was told of term \(term) after term \(last)", once: "event \(term)")
        }
        lastEventTerm = max(term, lastEventTerm ?? term)
        if line.event == "acquired" { acquired = term }
        if line.event == "lost" {
            if acquired != term {
                let text = "\(name) was told that term \(term) is lost without having been told that it leads in it"
                report(.eventOrder, line.time, text, once: "lost \(term)")
            }
            acquired = nil
            ended(term, at: line.time)
        }
    }

    private mutating func ended(_ term: Int64, at time: Int64) {
        guard over.map({ term > $0.term }) ?? true else { return }
        over = (term, time)
    }

    /// A claim that is false is repeated with every sample; once is enough.
    private mutating func report(_ promise: HistoryAudit.Promise, _ time: Int64, _ text: String, once key: String) {
        guard hasReported.insert(key).inserted else { return }
        violations.append(.init(promise: promise, group: group, time: time, explanation: text))
    }
}
