// SPDX-License-Identifier: MIT

import ElectionHistory
import Foundation

/// Histories as one process writes them, made up.
struct ForgedHistory {
    var candidate: String
    private(set) var lines: [HistoryLine] = []

    init(_ candidate: String) { self.candidate = candidate }

    /// What "do I lead?" was answered; nil for no.
    mutating func claim(_ term: Int?, at time: Int) throws {
        try add(
            """
            "kind":"claim","leading":\(term != nil),"term":\(term.map { "\($0)" } ?? "null"),"t0_ns":\(time),\
            "t1_ns":\(time + 1)
            """
        )
    }

    /// A call from its sending to its answer one nanosecond later.
    mutating func call(
        _ op: String,
        _ nonce: String,
        term: Int,
        at time: Int,
        answer: String = "ok",
        until: Int? = nil
    ) throws {
        let fields = "\"kind\":\"op\",\"op\":\"\(op)\",\"nonce\":\"\(nonce)\""
        let sent = op == "acquire" ? "null" : "\(term)"
        try add("\(fields),\"phase\":\"send\",\"term\":\(sent),\"t_ns\":\(time)")
        let until = until.map { "\($0)" } ?? "null"
        try add("\(fields),\"phase\":\"\(answer)\",\"term\":\(term),\"t_ns\":\(time + 1),\"valid_until_ns\":\(until)")
    }

    mutating func event(_ event: String, term: Int? = nil, at time: Int, reason: String? = nil, until: Int? = nil)
        throws
    {
        try add(
            """
            "kind":"event","event":"\(event)","term":\(term.map { "\($0)" } ?? "null"),"t_ns":\(time),\
            "reason":\(reason.map { "\"\($0)\"" } ?? "null"),"valid_until_ns":\(until.map { "\($0)" } ?? "null")
            """
        )
    }

    private mutating func add(_ fields: String) throws {
        let json = "{\(fields),\"group\":\"g\",\"candidate\":\"\(candidate)\"}"
        lines.append(try JSONDecoder().decode(HistoryLine.self, from: Data(json.utf8)))
    }

    static func history(_ forged: ForgedHistory...) -> History {
        History(processes: forged.map { .init(name: $0.candidate, lines: $0.lines) })
    }
}
