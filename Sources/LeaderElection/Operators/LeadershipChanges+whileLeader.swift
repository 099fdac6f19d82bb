// SPDX-License-Identifier: MIT

extension AsyncSequence where Element == LeadershipChange, Self: Sendable {
    /// The changes up to and including the one with which this candidate leads; then the sequence ends.
    public func takeUntilLeader() -> some AsyncSequence<LeadershipChange, Failure> & Sendable {
        TakeUntilLeader(base: self)
    }

    /// The changes from the one with which this candidate leads, for as long as that term lasts; then the sequence ends.
    ///
    /// Changes before are passed over; the change that ends the term is not part of the sequence.
    public func whileLeader() -> some AsyncSequence<LeadershipChange, Failure> & Sendable {
        ChangesWhileLeader(base: self)
    }

    /// Calls `acquired` for each term of this candidate that begins, and `lost` for each that ends, one at a time.
    ///
    /// Returns when the sequence ends. For work that must not outlive its term use
    /// ``ElectionService/whileLeader(_:)`` instead: these closures are told, not cancelled.
    public func onTransition(
        acquired: (LeadershipChange) async throws -> Void,
        lost: (LeadershipChange) async throws -> Void
    ) async throws {
        for try await change in self {
            if change.lostLeadership { try await lost(change) }
            if change.becameLeader { try await acquired(change) }
        }
    }
}

private struct TakeUntilLeader<Base: AsyncSequence & Sendable>: AsyncSequence, Sendable
where Base.Element == LeadershipChange {
    typealias Element = LeadershipChange
    typealias Failure = Base.Failure

    let base: Base

    func makeAsyncIterator() -> Iterator { Iterator(base: base.makeAsyncIterator()) }

    struct Iterator: AsyncIteratorProtocol {
        var base: Base.AsyncIterator
        var isOver = false

        mutating func next(isolation actor: isolated (any Actor)?) async throws(Base.Failure) -> LeadershipChange? {
            guard !isOver else { return nil }
            let change = try await base.next(isolation: actor)
            isOver = change?.isLeader ?? true
            return change
        }
    }
}

private struct ChangesWhileLeader<Base: AsyncSequence & Sendable>: AsyncSequence, Sendable
where Base.Element == LeadershipChange {
    typealias Element = LeadershipChange
    typealias Failure = Base.Failure

    let base: Base

    func makeAsyncIterator() -> Iterator { Iterator(base: base.makeAsyncIterator()) }

    struct Iterator: AsyncIteratorProtocol {
        var base: Base.AsyncIterator
        var term: Int64?
        var isOver = false

        mutating func next(isolation actor: isolated (any Actor)?) async throws(Base.Failure) -> LeadershipChange? {
            while !isOver, let change = try await base.next(isolation: actor) {
                switch (term, change.term) {
                case (nil, nil): continue
                case (nil, let new):
                    term = new
                    return change
                case (let old, let new) where old == new: return change
                default: isOver = true
                }
            }
            isOver = true
            return nil
        }
    }
}
