// SPDX-License-Identifier: MIT
#if Redis
import LeaderElection
import Testing

@testable import LeaderElectionRedis

@Suite("Redis: replies of the scripts")
struct ReplyTests {
    private let group: ElectionGroup
    private let header: [RedisValue] = [.integer(1_795_000_000_000_000), .integer(0), .integer(1), .integer(0)]

    init() throws { group = try ElectionGroup("g") }

    private func bulk(_ text: String) -> RedisValue { .bulk(Array(text.utf8)) }

    private func held(
        term: RedisValue = .integer(7),
        incarnation: String = Nonce().description,
        metadata: String = #"{"a":"b"}"#,
        remaining: Int64 = 500
    ) -> [RedisValue] {
        [
            .integer(2), term, .integer(3), .integer(1000), .integer(remaining), bulk("holder"), bulk(incarnation),
            bulk(metadata),
        ]
    }

    @Test func aBatchIsReadInOrder() throws {
        var reply = try LeaseReply(
            .array(
                header + [.integer(1), .integer(42)] + held() + [.integer(4), .integer(250), .integer(5), .integer(0)]
            )
        )
        #expect(reply.serverNanoseconds == 1_795_000_000_000_000_000)
        #expect(reply.authority == .known && !reply.isPushDenied)
        guard case .granted(42) = try reply.status(of: group), case .held(let record) = try reply.status(of: group),
            case .deferred(.milliseconds(250)) = try reply.status(of: group),
            case .free(lastTerm: 0) = try reply.status(of: group)
        else {
            Issue.record("something else was read")
            return
        }
        #expect(record.term == 7 && record.sequence == 3 && record.leaseDuration == .seconds(1))
        #expect(record.remaining == .milliseconds(500) && !record.isObserverTimed)
        #expect(record.holder.id == "holder" && record.holder.metadata == ["a": "b"])
        try reply.checkEnd()
    }

    @Test func aRecordWithoutATimeIsTimedByObservers() throws {
        var reply = try LeaseReply(.array(header + held(remaining: -1)))
        guard case .held(let record) = try reply.status(of: group) else {
            Issue.record("something else was read")
            return
        }
        #expect(record.isObserverTimed && record.remaining == nil)
    }

    @Test(
        arguments: [
            .null, .status("OK"), .integer(1), .bulk([]), .array([]), .array([.integer(1)]),
            .array([.integer(0), .integer(0), .integer(0), .integer(0)]),
            .array([.integer(-5), .integer(0), .integer(0), .integer(0)]),
            .array([.integer(.max), .integer(0), .integer(0), .integer(0)]),
            .array([.integer(1), .integer(0), .integer(99), .integer(0)]),
            .array([.integer(1), .integer(0), .integer(0), .integer(-1)]),
            .array([.bulk([49]), .integer(0), .integer(0), .integer(0)]),
        ] as [RedisValue]
    )
    func aGarbledHeaderIsRefused(_ value: RedisValue) {
        #expect(throws: ElectionError.self) { try LeaseReply(value) }
    }

    @Test func aGarbledAnswerIsRefused() throws {
        let answers: [[RedisValue]] = [
            [], [.integer(9)], [.null], [.integer(1)], [.integer(1), .integer(0)], [.integer(1), .integer(-4)],
            [.integer(1), .integer(1 << 53)], [.integer(1), bulk("42")], [.integer(2)], [.integer(3), .integer(4)],
            [.integer(4)], Array(held().dropLast()), held(term: .null), held(remaining: -2),
        ]
        for answer in answers {
            var reply = try LeaseReply(.array(header + answer))
            #expect(throws: ElectionError.self, "\(answer)") { try reply.status(of: group) }
        }
    }

    @Test func whatAnotherProgramWroteIsToldForItsGroupOnly() throws {
        let answers = held(incarnation: "nobody") + held(metadata: "[]") + [.integer(3), bulk("WRONGTYPE of key")]
        var reply = try LeaseReply(.array(header + answers + [.integer(1), .integer(8)]))
        for _ in 0..<3 {
            guard case .refused(let error) = try reply.status(of: group) else {
                Issue.record("it was accepted")
                return
            }
            #expect(error.code == .storeCorrupted && error.group == "g")
        }
        guard case .granted(8) = try reply.status(of: group) else {
            Issue.record("the next group suffers")
            return
        }
        try reply.checkEnd()
    }

    @Test func leftoversAreRefused() throws {
        let reply = try LeaseReply(.array(header + [.integer(1)]))
        #expect(throws: ElectionError.self) { try reply.checkEnd() }
    }

    @Test func flagsAreReadWhereTheyAre() throws {
        var reply = try LeaseReply(.array(header + [.integer(1), .integer(0)] + held()))
        #expect(reply.flag() == true)
        #expect(reply.flag() == false)
        #expect(reply.flag() == nil)
        guard case .held = try reply.status(of: group) else {
            Issue.record("the flag was eaten")
            return
        }
    }

    @Test func messagesOfChangesAreReadLineByLine() throws {
        let lines = [
            "sender 21", "+17 a group with spaces", "-18/3 other", "nonsense", "+x y", "-19 ", "~20 third", "!0 third",
            "?21 third", "-22/x third", "-/5 third", "- third",
        ]
        let message = try #require(ChangeMessage(Array(lines.joined(separator: "\n").utf8)))
        #expect(message.sender == Array("sender".utf8))
        let (spaced, other, third) = try (
            ElectionGroup("a group with spaces"), ElectionGroup("other"), ElectionGroup("third")
        )
        #expect(
            message.changes.map { $0.change.hint(listeners: $0.listeners) } == [
                .taken(spaced, listeners: 21), .freed(other, listeners: 3), .changed(third), .noted(third),
                .freed(third, listeners: 21),
            ]
        )
        #expect(message.changes.map(\.change.term) == [17, 18, 20, 0, 22])
        #expect(ChangeMessage(Array("sender\n-1 g".utf8))?.changes.first?.listeners == 0)
        #expect(ChangeMessage(Array("no line".utf8)) == nil)
        #expect(ChangeMessage([0xFF, 0x0A, 0xFF, 0x20])?.changes.isEmpty == true)
    }
}
#endif
