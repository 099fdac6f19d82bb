// SPDX-License-Identifier: MIT

import LeaderElection
import LeaderElectionTesting
import Synchronization
import Testing

@Suite("In-memory store")
struct InMemoryStoreTests {
    private let clock = ManualClock()
    private let store: InMemoryElectionStore
    private let group: ElectionGroup

    init() throws {
        store = InMemoryElectionStore(clock: clock)
        group = try ElectionGroup("jobs")
    }

    private func acquire(_ nonce: Nonce = Nonce(), lease: Duration = .seconds(10)) throws -> Int64 {
        let request = AcquireRequest(
            group: group,
            candidate: Candidate(id: "a", incarnation: Nonce()),
            nonce: nonce,
            leaseDuration: lease,
            timeout: .seconds(1)
        )
        guard case .granted(let term, _) = store.acquire(request) else { throw NotGranted() }
        return term
    }

    private struct NotGranted: Error {}

    /// Hints with the instant at which they came.
    private final class Hints: Sendable {
        let all = Mutex<[(hint: ProviderHint, instant: ElectionInstant)]>([])

        func instants(of group: ElectionGroup) -> [ElectionInstant] {
            all.withLock { $0.filter { $0.hint == .changed(group) }.map(\.instant) }
        }
    }

    private func subscribe() -> (Hints, any HintSubscription) {
        let hints = Hints()
        let subscription = store.subscribe { [clock] hint in hints.all.withLock { $0.append((hint, clock.now)) } }
        return (hints, subscription)
    }

    @Test("the leading dot names a provider of the shared store")
    func sharedStore() {
        let provider: any ElectionProvider = .inMemory
        #expect((provider as? InMemoryElectionProvider)?.store === InMemoryElectionStore.shared)
    }

    @Test("terms begin at the wall clock in milliseconds and then count on")
    func termFloor() throws {
        let nonce = Nonce()
        let first = try acquire(nonce)
        #expect(first == clock.wallNanoseconds / 1_000_000)
        _ = store.release(ReleaseRequest(group: group, nonce: nonce, term: first, timeout: .seconds(1)))
        #expect(try acquire() == first + 1)
    }

    @Test("a wall clock that is set back does not set terms back")
    func wallClockGoesBack() throws {
        let first = try acquire()
        clock.stepWall(by: .seconds(-3_600))
        clock.advance(by: .seconds(11))
        #expect(try acquire() == first + 1)
    }

    @Test("a lease ends exactly at its deadline")
    func deadline() throws {
        _ = try acquire()
        clock.advance(by: .seconds(10) - .nanoseconds(1))
        #expect(throws: NotGranted.self) { try acquire() }
        clock.advance(by: .nanoseconds(1))
        _ = try acquire()
    }

    @Test("an expiry is told at the deadline, also after renewals and with a single timer")
    func expiryIsPushed() throws {
        let (hints, subscription) = subscribe()
        let nonce = Nonce()
        let term = try acquire(nonce)
        for _ in 0..<3 {
            clock.advance(by: .seconds(6))
            let renewal = RenewRequest(
                group: group,
                nonce: nonce,
                term: term,
                leaseDuration: .seconds(10),
                timeout: .seconds(1)
            )
            guard case .renewed = store.renew(renewal) else { throw NotGranted() }
            #expect(clock.pendingTimers == 1)
        }
        let deadline = clock.now.advanced(by: .seconds(10))
        clock.advance(by: .seconds(60))
        #expect(hints.instants(of: group) == [deadline])
        #expect(clock.pendingTimers == 0)
        subscription.cancel()
    }

    @Test("a shorter lease after a longer one is told at its own deadline")
    func shorterLease() throws {
        let (hints, subscription) = subscribe()
        let nonce = Nonce()
        _ = try acquire(nonce, lease: .seconds(100))
        _ = store.release(ReleaseRequest(group: group, nonce: nonce, term: nil, timeout: .seconds(1)))
        let released = clock.now
        _ = try acquire(lease: .seconds(5))
        #expect(clock.pendingTimers == 1)
        clock.advance(by: .seconds(200))
        #expect(hints.instants(of: group) == [released, released.advanced(by: .seconds(5))])
        subscription.cancel()
    }

    @Test("a delayed renewal with a shorter lease does not shorten what the holder was promised")
    func deadlineNeverShrinks() throws {
        let nonce = Nonce()
        let term = try acquire(nonce)
        let renewal = RenewRequest(
            group: group,
            nonce: nonce,
            term: term,
            leaseDuration: .seconds(1),
            timeout: .seconds(1)
        )
        guard case .renewed = store.renew(renewal) else { throw NotGranted() }
        clock.advance(by: .seconds(9))
        #expect(throws: NotGranted.self) { try acquire() }
    }

    @Test("a store that is let go leaves no work behind")
    func deallocation() throws {
        weak var weakStore: InMemoryElectionStore?
        do {
            let store = InMemoryElectionStore(clock: clock)
            let request = AcquireRequest(
                group: group,
                candidate: Candidate(id: "a", incarnation: Nonce()),
                nonce: Nonce(),
                leaseDuration: .seconds(10),
                timeout: .seconds(1)
            )
            _ = store.acquire(request)
            weakStore = store
        }
        #expect(weakStore == nil)
        clock.advance(by: .seconds(20))
    }

    @Test("a checker sees every record, those of leases that ended included")
    func records() throws {
        let nonce = Nonce()
        let term = try acquire(nonce)
        #expect(store.records[group]?.lease?.nonce == nonce)
        _ = store.release(ReleaseRequest(group: group, nonce: nonce, term: term, timeout: .seconds(1)))
        #expect(store.records[group]?.lease == nil)
        #expect(store.records[group]?.term == term)
    }
}
