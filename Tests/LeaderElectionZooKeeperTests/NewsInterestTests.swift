// SPDX-License-Identifier: MIT
#if ZooKeeper
import LeaderElection
import Testing

@testable import LeaderElectionZooKeeper

@Suite struct NewsInterestTests {
    private func at(_ seconds: Int64) -> ElectionInstant { ElectionInstant(nanoseconds: seconds * 1_000_000_000) }

    /// Three groups of one slot, in order.
    private func groups() throws -> (NewsSlot, [ElectionGroup]) {
        let all = try (0..<1000).map { try ElectionGroup("group \($0)") }
        let slot = NewsSlot(all[0])
        let found = all.filter { NewsSlot($0) == slot }.prefix(3).sorted { $0.name < $1.name }
        try #require(found.count == 3)
        return (slot, found)
    }

    /// What changes in place, for expectations, which only call.
    private final class Interest {
        var value = NewsInterest()

        init(in groups: [ElectionGroup]) {
            for group in groups { value.want(group, at: ElectionInstant(nanoseconds: 0), memory: .seconds(60)) }
        }

        func seen(_ slot: NewsSlot, version: Int32, latest: ElectionGroup?) -> [ElectionGroup] {
            value.seen(slot, version: version, latest: latest)
        }

        func mustAsk(_ slot: NewsSlot) -> Bool { value.mustAsk(slot) }
    }

    @Test func aSlotIsTheSameInEveryProcessAndAllAreUsed() throws {
        #expect(NewsSlot(try ElectionGroup("nightly-billing")).number == 43)
        let numbers = Set(try (0..<2000).map { NewsSlot(try ElectionGroup("group \($0)")).number })
        #expect(numbers == Set(0..<NewsSlot.count))
    }

    @Test func whatCameOneAfterTheOtherConcernsOneGroup() throws {
        let (slot, groups) = try groups()
        let interest = Interest(in: [groups[0], groups[1]])
        #expect(interest.value.wanted == [slot])
        _ = interest.seen(slot, version: 7, latest: nil)
        #expect(interest.seen(slot, version: 8, latest: groups[1]) == [groups[1]])
        #expect(interest.seen(slot, version: 9, latest: groups[2]) == [], "nobody here wants to hear of it")
        #expect(interest.seen(slot, version: 10, latest: groups[0]) == [groups[0]])
    }

    @Test func whatWasMissedMayConcernEachOfThem() throws {
        let (slot, groups) = try groups()
        let interest = Interest(in: groups)
        #expect(interest.seen(slot, version: 7, latest: groups[0]) == groups, "the first look")
        #expect(interest.seen(slot, version: 9, latest: groups[1]) == groups)
        #expect(interest.seen(slot, version: 10, latest: nil) == groups, "a name that cannot be read")
        #expect(interest.seen(slot, version: 10, latest: groups[1]) == [])
        #expect(interest.seen(slot, version: 0, latest: groups[1]) == groups, "a node that was made anew")
    }

    @Test func aVersionMayOverflow() throws {
        let (slot, groups) = try groups()
        let interest = Interest(in: groups)
        _ = interest.seen(slot, version: .max, latest: nil)
        #expect(interest.seen(slot, version: .min, latest: groups[2]) == [groups[2]])
    }

    @Test func aSlotIsAskedForOnceAndAgainAfterItWasMissed() throws {
        let (slot, groups) = try groups()
        let interest = Interest(in: groups)
        #expect(interest.mustAsk(slot))
        #expect(!interest.mustAsk(slot))
        interest.value.missed(slot)
        #expect(interest.mustAsk(slot))
        _ = interest.seen(slot, version: 1, latest: nil)
        #expect(!interest.mustAsk(slot))
        interest.value.forgetVersions()
        #expect(interest.mustAsk(slot))
        #expect(!interest.mustAsk(NewsSlot(number: (slot.number + 1) % NewsSlot.count)), "nobody wants to hear of it")
    }

    @Test func groupsThatNobodyNamesAgainAreForgotten() throws {
        var interest = NewsInterest()
        let kept = try ElectionGroup("kept")
        for index in 0..<5000 {
            interest.want(try ElectionGroup("group \(index)"), at: at(Int64(index)), memory: .seconds(60))
            interest.want(kept, at: at(Int64(index)), memory: .seconds(60))
        }
        #expect(interest.contains(kept))
        #expect(try !interest.contains(ElectionGroup("group 0")))
        #expect(try interest.contains(ElectionGroup("group 4990")))
    }
}
#endif
