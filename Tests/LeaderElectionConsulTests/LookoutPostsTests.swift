// SPDX-License-Identifier: MIT
#if Consul
import LeaderElection
import Testing

@testable import LeaderElectionConsul

@Suite struct LookoutPostsTests {
    private let start = ElectionInstant(nanoseconds: 1_000_000_000_000)

    private func post(_ number: Int, _ index: UInt64, by name: String) -> KVEntry {
        entry("\(number)", index, name)
    }

    private func entry(_ name: String, _ index: UInt64, _ value: String) -> KVEntry {
        KVEntry(key: "p.lookouts/g/\(name)", modifyIndex: index, flags: 1, session: nil, value: Array(value.utf8))
    }

    private func posts(_ entries: KVEntry...) -> LookoutPosts {
        var posts = LookoutPosts(ourName: Array("we".utf8))
        _ = posts.read(entries, at: start)
        return posts
    }

    @Test func whatNobodyMansIsVacant() {
        #expect(posts().vacancies(at: start).map(\.post) == [0, 1, 2])
        #expect(!posts().isAnyMannedByOthers(at: start))
        let two = posts(post(0, 7, by: "a"), post(2, 8, by: "b"))
        #expect(two.vacancies(at: start) == [LookoutPosts.Vacancy(post: 1, index: 0)])
        #expect(two.isAnyMannedByOthers(at: start))
    }

    @Test func whatIsWrittenByOursIsForUsToTakeAgainAndKeepsNobodyElse() {
        let posts = posts(post(1, 7, by: "we"))
        #expect(posts.isOurs(1) && !posts.isOurs(0))
        #expect(!posts.isAnyMannedByOthers(at: start))
        #expect(posts.vacancies(at: start).contains(LookoutPosts.Vacancy(post: 1, index: 7)))
    }

    @Test func aPostThatIsNotWrittenAnyMoreIsDeserted() {
        var posts = posts(post(0, 7, by: "a"), post(1, 8, by: "b"), post(2, 9, by: "c"))
        let half = start + LookoutPosts.patience / 2
        // Only the second is written anew.
        #expect(posts.read([post(0, 7, by: "a"), post(1, 20, by: "b"), post(2, 9, by: "c")], at: half) == .init())
        let late = start + LookoutPosts.patience + .milliseconds(1)
        #expect(posts.vacancies(at: start + LookoutPosts.patience).isEmpty)
        #expect(posts.vacancies(at: late) == [.init(post: 0, index: 7), .init(post: 2, index: 9)])
        #expect(posts.isAnyMannedByOthers(at: late))
        #expect(!posts.isAnyMannedByOthers(at: half + LookoutPosts.patience + .milliseconds(1)))
        #expect(LookoutPosts.rewriting * 2 < LookoutPosts.patience, "one writing may be lost")
    }

    @Test func everybodyHearsWhenOneLeavesOrIsReplacedAndNotWhenOneComes() {
        var posts = posts(post(0, 7, by: "a"))
        #expect(posts.read([post(0, 7, by: "a"), post(1, 8, by: "b")], at: start) == .init())
        #expect(posts.read([post(1, 8, by: "b")], at: start) == .init(hasAnyLeft: true))
        #expect(posts.read([post(1, 9, by: "c")], at: start) == .init(hasAnyLeft: true))
        #expect(posts.read([], at: start) == .init(hasAnyLeft: true))
    }

    @Test(arguments: LookoutPosts.Bell.allCases) func aBellIsHeardOnceEachTime(_ bell: LookoutPosts.Bell) {
        var posts = posts()
        #expect(posts.read([entry(bell.rawValue, 5, "x")], at: start) == .init(bells: [bell]))
        #expect(posts.read([entry(bell.rawValue, 5, "x")], at: start) == .init())
        #expect(posts.read([entry(bell.rawValue, 6, "y")], at: start) == .init(bells: [bell]))
    }

    @Test func otherKeysAreNoPosts() {
        let posts = posts(entry("3", 7, "a"), entry("-1", 8, "a"), entry("x", 9, "a"), entry("", 10, "a"))
        #expect(!posts.isAnyMannedByOthers(at: start))
        #expect(posts.vacancies(at: start).map(\.index) == [0, 0, 0])
    }
}
#endif
