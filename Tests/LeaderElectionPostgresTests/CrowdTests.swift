// SPDX-License-Identifier: MIT
#if Postgres
internal import LeaderElection
internal import Testing

@testable internal import LeaderElectionPostgres

struct CrowdTests {
    private func lots(_ channel: String) throws -> PostgresLots {
        try PostgresLots(of: SQLName(channel, what: "channel"))
    }

    @Test func everyChannelHasLotsOfItsOwn() throws {
        let channels = [
            "a", "b", "A", "a\"b'c\\", String(repeating: "x", count: 63), String(repeating: "x", count: 62),
        ]
        let names = try channels.map { try lots($0).all.map(\.name) }
        #expect(Set(names.joined()).count == channels.count * 16)
        // The same in every process.
        #expect(try lots("a").all.map(\.name) == names[0])
        #expect(try lots("a").all.contains(lots("a").own))
    }

    @Test func processesListenToDifferentLots() throws {
        #expect(try Set((0..<1000).map { _ in try lots("a").own }).count == 16)
    }

    @Test(arguments: [(0, 0), (1, 0), (8, 0), (9, 6), (12, 4), (21, 3), (45, 2), (48, 1), (5000, 1)])
    func aboutThreeOfACrowdAreToldFirst(_ listeners: Int, _ count: Int) throws {
        let lots = try lots("a")
        let drawn = lots.drawn(among: listeners)
        #expect(drawn.count == count)
        #expect(Set(drawn).count == count && Set(drawn).isSubset(of: lots.all))
    }

    @Test func lotsAreDrawnAnewForEachRelease() throws {
        let lots = try lots("a")
        #expect(Set((0..<1000).flatMap { _ in lots.drawn(among: 100) }).count == 16)
    }

    @Test func whoHearsOnALotIsOneOfASixteenth() {
        #expect([0, 1, 9, 31, 32, 45, 5000].map { PostgresLots.share(of: $0) } == [1, 1, 1, 1, 2, 2, 312])
    }

    @Test func onlyALaterGrantIsWaitedFor() async {
        let watch = GrantWatch()
        await watch.heard(term: 5)
        #expect(await !watch.hears(ofGrantAfter: 5, within: .zero))
        await watch.heard(term: 6)
        await watch.heard(term: .min)
        // Heard of before the wait began.
        #expect(await watch.hears(ofGrantAfter: 5, within: .seconds(3600)))
    }

    @Test(.timeLimit(.minutes(1))) func aGrantOrACancellationEndsTheWait() async {
        let watch = GrantWatch()
        let wait = Task { await watch.hears(ofGrantAfter: 5, within: .seconds(3600)) }
        await watch.heard(term: 5)
        await watch.heard(term: 6)
        #expect(await wait.value)
        let another = Task { await watch.hears(ofGrantAfter: 6, within: .seconds(3600)) }
        another.cancel()
        #expect(await !another.value)
    }
}
#endif
