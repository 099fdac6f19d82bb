// SPDX-License-Identifier: MIT

import Foundation
import IntegrationSupport
import Testing

/// The checker of histories finds what is wrong in forged ones, and nothing in a good one.
@Suite struct HistoryTests {
    private let nonces = ["0000000000000000000000000000000a", "0000000000000000000000000000000b"]

    private func line(_ json: String) throws -> History.Line {
        try JSONDecoder().decode(History.Line.self, from: Data(json.utf8))
    }

    private func claim(_ time: Int, _ term: Int?) throws -> History.Line {
        try line(
            """
            {"kind":"claim","group":"g","leading":\(term != nil),"term":\(term.map { "\($0)" } ?? "null"),\
            "t0_ns":\(time),"t1_ns":\(time + 1)}
            """
        )
    }

    private func operation(_ time: Int, _ op: String, _ phase: String, _ nonce: Int, _ term: Int?) throws
        -> History.Line
    {
        try line(
            """
            {"kind":"op","group":"g","op":"\(op)","phase":"\(phase)","term":\(term.map { "\($0)" } ?? "null"),\
            "nonce":"\(nonces[nonce])","t_ns":\(time),"valid_until_ns":null}
            """
        )
    }

    private func grant(_ time: Int, _ nonce: Int, _ term: Int) throws -> [History.Line] {
        [try operation(time, "acquire", "send", nonce, nil), try operation(time + 1, "acquire", "ok", nonce, term)]
    }

    private func found(_ processes: [[History.Line]]) -> [String] {
        History(processes: processes).violations.map { String($0.prefix { $0 != ":" }) }
    }

    @Test func oneAfterTheOtherIsFine() throws {
        let first = try grant(1, 0, 5) + [claim(10, 5), claim(20, 5), claim(30, nil)]
        let second = try [claim(10, nil)] + grant(40, 1, 6) + [claim(50, 6), claim(60, 6)]
        #expect(found([first, second]) == [])
    }

    @Test func twoAtATimeAreFound() throws {
        let first = try grant(1, 0, 5) + [claim(10, 5), claim(60, 5)]
        let second = try grant(40, 1, 6) + [claim(50, 6), claim(70, 6)]
        #expect(found([first, second]) == ["C1"])
        #expect(found([second, first]) == ["C1"])
    }

    @Test func whatMayBeInexactIsNoOverlap() throws {
        let first = try grant(1, 0, 5) + [claim(10, 5), claim(20, 5)]
        let second = try grant(2, 1, 6) + [claim(20, 6), claim(30, 6)]
        #expect(found([first, second]) == [])
    }

    @Test func aTermForTwoNoncesIsFound() throws {
        #expect(found([try grant(1, 0, 5), try grant(10, 1, 5)]) == ["S2"])
    }

    @Test func aTermThatShrinksIsFound() throws {
        #expect(found([try grant(1, 0, 5), try grant(10, 1, 4)]) == ["S2"])
    }

    @Test func aTermThatComesBackIsFound() throws {
        let lines = try grant(1, 0, 5) + [claim(10, 5), claim(20, nil), claim(30, 5)]
        #expect(found([lines]) == ["S6"])
    }

    @Test func aClaimAfterAReleaseIsFound() throws {
        let lines = try grant(1, 0, 5) + [operation(10, "release", "ok", 0, 5), claim(20, 5)]
        #expect(found([lines]) == ["S7"])
    }
}
