// SPDX-License-Identifier: MIT

import ElectionHistory
import Foundation
import Testing

@Suite struct StoryTests {
    private static let second = 1_000_000_000

    /// a leads and stops; after two milliseconds b leads, is in jeopardy for a while, and is killed; a leads again.
    private func history() throws -> History {
        let second = Self.second
        var (first, next) = (ForgedHistory("a<1>"), ForgedHistory("b"))
        try first.event("ready", at: 0)
        try first.event("acquired", term: 5, at: second, until: 11 * second)
        try first.call("renew", "x", term: 5, at: 4 * second, until: 14 * second)
        try first.event("lost", term: 5, at: 5 * second, reason: "stopped")
        try next.event("acquired", term: 6, at: 5 * second + 2_000_000, until: 15 * second)
        try next.call("renew", "y", term: 6, at: 8 * second, answer: "unknown")
        try next.event("jeopardy", term: 6, at: 8 * second)
        try next.call("renew", "y", term: 6, at: 9 * second, until: 19 * second)
        try next.event("recovered", term: 6, at: 9 * second + 1)
        try first.event("acquired", term: 7, at: 20 * second, until: 30 * second)
        try first.claim(7, at: 21 * second)
        return ForgedHistory.history(first, next)
    }

    @Test func termsHaveACauseOfTheirEnd() throws {
        let story = try #require(ElectionStory("g", in: history()))
        #expect(story.terms.map(\.number) == [5, 6, 7])
        #expect(story.terms.map(\.ending) == [.lost(reason: "stopped"), .silent, .open])
        #expect(story.terms.map(\.renewals) == [1, 1, 0])
        #expect(story.terms.map(\.failedRenewals) == [0, 1, 0])
        #expect(story.terms[0].leastMargin == Int64(7 * Self.second - 1))
        #expect(story.terms[1].jeopardy.count == 1)
        #expect(story.gaps.map { $0.upperBound - $0.lowerBound } == [2_000_000, Int64(Self.second)])
    }

    @Test func theStoryIsToldInSentences() throws {
        let text = try #require(ElectionStory("g", in: history())).sentences.joined(separator: "\n")
        #expect(
            text == """
                g: 3 terms of 2 leaders in 20 s; somebody led for 94.99 % of that time, and the longest gap was 1 s.
                1.000 s  a<1> leads in term 5 for 4 s; it was stopped, and gave the lease back. 1 renewal, at least 7 s \
                before the deadline.
                5.000 s  Nobody leads for 2 ms.
                5.002 s  b leads in term 6 and is not heard of again: killed, stopped, or cut off; it could lead for at \
                most 14 s. 1 renewal, 1 more failed, at least 6 s before the deadline. In jeopardy from 8.000 s on, for 1 s.
                19.000 s  Nobody leads for 1 s.
                20.000 s  a<1> leads in term 7, and still does 1 s later.
                """
        )
    }

    @Test func aTermEndsWithItsDeadlineHoweverLateItsLeaderIsTold() throws {
        let second = Self.second
        var (paused, next) = (ForgedHistory("a"), ForgedHistory("b"))
        try paused.event("acquired", term: 5, at: second, until: 4 * second)
        try paused.event("lost", term: 5, at: 9 * second, reason: "expired")
        try next.event("acquired", term: 6, at: 5 * second, until: 8 * second)
        let story = try #require(ElectionStory("g", in: ForgedHistory.history(paused, next)))
        #expect(story.terms.map(\.end) == [Int64(4 * second), Int64(8 * second)])
        #expect(story.gaps.map(\.lowerBound) == [Int64(4 * second)])
    }

    @Test func whoIsSucceededBeforeItsDeadlineIsNotHeardOfAgain() throws {
        let second = Self.second
        var (killed, next) = (ForgedHistory("a"), ForgedHistory("b"))
        try killed.event("acquired", term: 5, at: second, until: 10 * second)
        try next.event("acquired", term: 6, at: 2 * second, until: 12 * second)
        try next.event("lost", term: 6, at: 3 * second, reason: "stopped")
        let story = try #require(ElectionStory("g", in: ForgedHistory.history(killed, next)))
        #expect(story.terms.map(\.ending) == [.silent, .lost(reason: "stopped")])
        #expect(story.gaps.isEmpty)
    }

    @Test func aGapIsExplainedByWhatTheStoreSaid() throws {
        let second = Self.second
        var (first, next) = (ForgedHistory("a"), ForgedHistory("b"))
        try first.event("acquired", term: 5, at: second, until: 4 * second)
        try first.event("lost", term: 5, at: 2 * second, reason: "superseded")
        try next.event("deferred", at: 3 * second, reason: "its data was deleted", until: 12 * second)
        try first.event("deferred", at: 4 * second, reason: "leases may still run", until: 12 * second)
        try next.event("acquired", term: 6, at: 12 * second, until: 15 * second)
        try next.event("lost", term: 6, at: 13 * second, reason: "stopped")
        try first.event("acquired", term: 7, at: 14 * second, until: 17 * second)
        let sentences = try #require(ElectionStory("g", in: ForgedHistory.history(first, next))).sentences
        #expect(sentences.contains("1.000 s  Nobody leads for 10 s: its data was deleted."))
        #expect(sentences.contains("12.000 s  Nobody leads for 1 s."))
    }

    @Test func aGroupWithoutALeaderIsNoStoryOfTerms() throws {
        var idle = ForgedHistory("a")
        try idle.event("ready", at: 0)
        try idle.event("stopped", at: Self.second)
        let story = try #require(ElectionStory("g", in: ForgedHistory.history(idle)))
        #expect(story.sentences == ["g: nobody led in 1 s."])
        #expect(ElectionStory("other", in: ForgedHistory.history(idle)) == nil)
    }

    @Test func thePictureIsWellFormedAndHasEachTerm() throws {
        let story = try #require(ElectionStory("g", in: history()))
        let svg = try #require(TimelineDrawing([story])).svg
        let parser = XMLProbe(svg)
        #expect(parser.isWellFormed)
        #expect(svg.components(separatedBy: "<rect x=").count - 1 == 3 + 2 + 1, "terms, gaps, jeopardy")
        #expect(svg.contains("a&lt;1&gt;"))
        #expect(TimelineDrawing([]) == nil)
    }
}

/// Whether every element of a document is closed in order; enough for a format that we write ourselves.
private struct XMLProbe {
    let isWellFormed: Bool

    init(_ text: String) {
        var open: [Substring] = []
        var isFine = true
        for part in text.split(separator: "<").dropFirst(text.hasPrefix("<") ? 0 : 1) {
            guard let end = part.firstIndex(of: ">") else {
                isFine = false
                continue
            }
            let tag = part[..<end]
            let name = tag.prefix { !$0.isWhitespace && $0 != "/" }
            if tag.hasPrefix("/") {
                isFine = isFine && open.popLast() == tag.dropFirst()
            } else if !tag.hasSuffix("/") {
                open.append(name)
            }
        }
        isWellFormed = isFine && open.isEmpty
    }
}
