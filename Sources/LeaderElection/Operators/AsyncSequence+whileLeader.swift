// SPDX-License-Identifier: MIT

extension AsyncSequence where Self: Sendable, Element: Sendable {
    /// Passes elements on only while this process leads; nothing is lost.
    ///
    /// Waits for leadership before it takes an element from this sequence. An element that arrives after leadership
    /// was lost is kept and passed on in the next term. Ends with this sequence, or when the election's service stops;
    /// then an element that was kept stays undelivered, so take from a source that can deliver again.
    ///
    /// ```swift
    /// for await job in jobs.whileLeader(election) { try await run(job) }
    /// ```
    public func whileLeader(_ election: ElectionService) -> some AsyncSequence<Element, Failure> & Sendable {
        ElementsWhileLeader(base: self, election: election)
    }
}

private struct ElementsWhileLeader<Base: AsyncSequence & Sendable>: AsyncSequence, Sendable
where Base.Element: Sendable {
    typealias Element = Base.Element
    typealias Failure = Base.Failure

    let base: Base
    let election: ElectionService

    func makeAsyncIterator() -> Iterator {
        Iterator(base: base.makeAsyncIterator(), changes: election.changes.makeAsyncIterator(), election: election)
    }

    struct Iterator: AsyncIteratorProtocol {
        var base: Base.AsyncIterator
        var changes: LeadershipChanges.Iterator
        let election: ElectionService
        var kept: Base.Element?

        mutating func next(isolation actor: isolated (any Actor)?) async throws(Base.Failure) -> Base.Element? {
            while true {
                while !election.isLeader {
                    guard await changes.next(isolation: actor) != nil else { return nil }
                }
                if kept == nil {
                    guard let element = try await base.next(isolation: actor) else { return nil }
                    kept = element
                }
                guard election.isLeader else { continue }
                defer { kept = nil }
                return kept
            }
        }
    }
}
