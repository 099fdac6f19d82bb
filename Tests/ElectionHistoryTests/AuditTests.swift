// SPDX-License-Identifier: MIT

import ElectionHistory
import Foundation
import Testing

/// The audit finds what is wrong in forged histories, and nothing in a good one.
@Suite struct AuditTests {
    private func broken(_ forged: ForgedHistory...) -> [HistoryAudit.Promise] {
        let history = History(processes: forged.map { .init(name: $0.candidate, lines: $0.lines) })
        return HistoryAudit(history).violations.map(\.promise)
    }

    @Test func oneAfterTheOtherIsFine() throws {
        var (first, second) = (ForgedHistory("a"), ForgedHistory("b"))
        try first.call("acquire", "x", term: 5, at: 1, until: 25)
        try first.event("acquired", term: 5, at: 3)
        try first.claim(5, at: 10)
        try first.claim(5, at: 20)
        try first.event("lost", term: 5, at: 25)
        try first.claim(nil, at: 30)
        try second.claim(nil, at: 10)
        try second.call("acquire", "y", term: 6, at: 40, until: 70)
        try second.claim(6, at: 50)
        try second.claim(6, at: 60)
        #expect(broken(first, second) == [])
    }

    @Test func twoAtATimeAreFound() throws {
        var (first, second) = (ForgedHistory("a"), ForgedHistory("b"))
        try first.claim(5, at: 10)
        try first.claim(5, at: 60)
        try second.claim(6, at: 50)
        try second.claim(6, at: 70)
        #expect(broken(first, second) == [.exclusion])
        #expect(broken(second, first) == [.exclusion])
    }

    @Test func whatMayBeInexactIsNoOverlap() throws {
        var (first, second) = (ForgedHistory("a"), ForgedHistory("b"))
        try first.claim(5, at: 10)
        try first.claim(5, at: 20)
        try second.claim(6, at: 20)
        try second.claim(6, at: 30)
        #expect(broken(first, second) == [])
    }

    @Test func aTermForTwoNoncesIsFound() throws {
        var (first, second) = (ForgedHistory("a"), ForgedHistory("b"))
        try first.call("acquire", "x", term: 5, at: 1)
        try second.call("acquire", "y", term: 5, at: 10)
        #expect(broken(first, second) == [.termOrder])
    }

    @Test func aTermThatShrinksIsFoundUnlessTheTwoWereAskedForAtOnce() throws {
        var (first, second) = (ForgedHistory("a"), ForgedHistory("b"))
        try first.call("acquire", "x", term: 5, at: 1)
        try second.call("acquire", "y", term: 4, at: 10)
        #expect(broken(first, second) == [.termOrder])
        var together = ForgedHistory("b")
        try together.call("acquire", "y", term: 4, at: 2)
        #expect(broken(first, together) == [])
    }

    @Test func aRepeatedRequestIsNoSecondGrant() throws {
        var first = ForgedHistory("a")
        try first.call("acquire", "x", term: 5, at: 1)
        try first.call("acquire", "x", term: 5, at: 10)
        #expect(broken(first) == [])
    }

    @Test func aTermThatComesBackIsFoundOnce() throws {
        var first = ForgedHistory("a")
        try first.claim(5, at: 10)
        try first.claim(nil, at: 20)
        try first.claim(5, at: 30)
        try first.claim(5, at: 40)
        #expect(broken(first) == [.noResurrection])
        var told = ForgedHistory("a")
        try told.event("acquired", term: 5, at: 1)
        try told.event("lost", term: 5, at: 10)
        try told.claim(5, at: 20)
        #expect(broken(told) == [.noResurrection])
    }

    @Test func aClaimAfterTheDeadlineIsFound() throws {
        var first = ForgedHistory("a")
        try first.call("acquire", "x", term: 5, at: 1, until: 20)
        try first.claim(5, at: 10)
        try first.call("renew", "x", term: 5, at: 12, answer: "unknown")
        try first.claim(5, at: 21)
        #expect(broken(first) == [.deadline])
        var renewed = ForgedHistory("a")
        try renewed.call("acquire", "x", term: 5, at: 1, until: 20)
        try renewed.call("renew", "x", term: 5, at: 12, until: 32)
        try renewed.claim(5, at: 31)
        #expect(broken(renewed) == [])
    }

    @Test func aClaimAfterAReleaseIsFoundEvenIfNobodyAnswered() throws {
        for answer in ["ok", "unknown"] {
            var first = ForgedHistory("a")
            try first.call("acquire", "x", term: 5, at: 1)
            try first.call("release", "x", term: 5, at: 10, answer: answer)
            try first.claim(5, at: 20)
            #expect(broken(first) == [.relinquishFirst])
        }
    }

    @Test func eventsOutOfOrderAreFound() throws {
        var first = ForgedHistory("a")
        try first.event("lost", term: 5, at: 1)
        #expect(broken(first) == [.eventOrder])
        var backwards = ForgedHistory("a")
        try backwards.event("acquired", term: 5, at: 1)
        try backwards.event("lost", term: 5, at: 2)
        try backwards.event("acquired", term: 4, at: 3)
        #expect(broken(backwards) == [.eventOrder])
    }

    @Test func candidatesThatShareAFileAreToldApart() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "history-\(UUID())")
        defer { try? FileManager.default.removeItem(at: file) }
        func claim(_ candidate: String, _ term: Int, _ time: Int) -> String {
            """
            {"kind":"claim","group":"g","candidate":"\(candidate)","leading":true,"term":\(term),"t0_ns":\(time),\
            "t1_ns":\(time + 1)}\n
            """
        }
        let text = claim("a", 5, 1) + claim("b", 6, 5) + claim("a", 5, 10) + claim("b", 6, 20) + "{\"kind\":\"cla"
        try Data(text.utf8).write(to: file)
        let history = try History(files: [file])
        #expect(history.processes.map(\.name) == ["a", "b"])
        #expect(HistoryAudit(history).violations.map(\.promise) == [.exclusion])
    }

    @Test func whatIsNoHistoryIsRefusedByFileAndLine() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "history-\(UUID())")
        defer { try? FileManager.default.removeItem(at: file) }
        #expect { try History(files: [file]) } throws: { "\($0)".contains("cannot read \(file.path)") }
        try Data("{\"kind\":\"claim\",\"group\":\"g\"}\nhello\n".utf8).write(to: file)
        #expect { try History(files: [file]) } throws: { "\($0)".contains("\(file.path), line 2,") }
    }
}
