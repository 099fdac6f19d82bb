// SPDX-License-Identifier: MIT

import ElectionStores
import LeaderElection
import Synchronization
import Testing

@Suite struct HintSubscribersTests {
    private final class Counter: Sendable {
        private let state = Mutex(0)
        var count: Int { state.withLock { $0 } }
        func increment() { state.withLock { $0 += 1 } }
    }

    @Test func aSubscriptionEndsOnceHoweverItEnds() {
        let subscribers = HintSubscribers()
        let (hints, ends) = (Counter(), Counter())
        var kept: HintSubscribers.Subscription? = subscribers.add({ _ in hints.increment() }) {
            #expect(subscribers.isEmpty)
            ends.increment()
        }
        subscribers.send(.resync)
        #expect(kept != nil && hints.count == 1 && ends.count == 0)
        kept?.cancel()
        kept?.cancel()
        kept = nil
        subscribers.send(.resync)
        #expect(hints.count == 1 && ends.count == 1)
        do { _ = subscribers.add({ _ in hints.increment() }) { ends.increment() } }
        #expect(subscribers.isEmpty && ends.count == 2)
    }
}
