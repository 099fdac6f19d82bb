// SPDX-License-Identifier: MIT

import LeaderElection
import LeaderElectionTesting
import Synchronization
import Testing

@Suite("Faulty hints", .timeLimit(.minutes(2)))
struct FaultyHintsTests {
    private let clock = ManualClock()
    private let source = HintSource()
    private let received = Received()

    private final class Received: Sendable {
        let hints = Mutex<[ProviderHint]>([])
        var all: [ProviderHint] { hints.withLock { $0 } }
    }

    private func subscribe(_ rules: [FaultRule]) -> any HintSubscription {
        let faulty = FaultyProvider(wrapping: source, clock: clock, rules: rules)
        return faulty.hints { [received] hint in received.hints.withLock { $0.append(hint) } }
    }

    private func changed(_ name: String) throws -> ProviderHint { .changed(try ElectionGroup(name)) }

    @Test("hints pass through untouched by rules for the verbs")
    func passThrough() throws {
        let subscription = subscribe([FaultRule(.dropBeforeApplying)])
        source.push(try changed("a"))
        source.push(.resync)
        #expect(received.all == [try changed("a"), .resync])
        subscription.cancel()
        source.push(.resync)
        #expect(received.all.count == 2)
    }

    @Test("hints of the rule's groups are dropped, others come")
    func drop() throws {
        let subscription = subscribe([FaultRule(.dropBeforeApplying, on: [.hints], groups: "a*")])
        for name in ["a1", "b", "a2"] { source.push(try changed(name)) }
        source.push(.resync)
        #expect(received.all == [try changed("b"), .resync])
        subscription.cancel()
    }

    @Test("a delayed hint comes when the clock has moved that far, but not after the subscription ended")
    func delay() throws {
        let subscription = subscribe([FaultRule(.delay(.seconds(2)), on: [.hints])])
        source.push(try changed("a"))
        clock.advance(by: .seconds(1))
        #expect(received.all.isEmpty)
        clock.advance(by: .seconds(1))
        #expect(received.all == [try changed("a")])
        source.push(try changed("b"))
        subscription.cancel()
        clock.advance(by: .seconds(5))
        #expect(received.all.count == 1)
    }

    @Test("hints are doubled, and swapped with the next")
    func duplicateAndReorder() throws {
        let subscription = subscribe([
            FaultRule(.duplicate, when: .first(1), on: [.hints]),
            FaultRule(.reorder, when: .sequence([false, true]), on: [.hints]),
        ])
        for name in ["a", "b", "c"] { source.push(try changed(name)) }
        #expect(received.all == [try changed("a"), try changed("a"), try changed("c"), try changed("b")])
        subscription.cancel()
    }

    @Test("a subscription that is let go ends")
    func letGo() throws {
        var subscription: (any HintSubscription)? = subscribe([])
        #expect(source.receiverCount == 1)
        #expect(subscription != nil)
        subscription = nil
        #expect(source.receiverCount == 0)
    }
}

/// Pushes what a test tells it to.
private final class HintSource: PushingProvider {
    private let receivers = Mutex<[ObjectIdentifier: @Sendable (ProviderHint) -> Void]>([:])

    private final class Subscription: HintSubscription {
        let source: HintSource
        init(_ source: HintSource) { self.source = source }
        deinit { cancel() }
        func cancel() { _ = source.receivers.withLock { $0.removeValue(forKey: ObjectIdentifier(self)) } }
    }

    var receiverCount: Int { receivers.withLock { $0.count } }

    func push(_ hint: ProviderHint) {
        for receive in receivers.withLock({ Array($0.values) }) { receive(hint) }
    }

    func hints(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription {
        let subscription = Subscription(self)
        receivers.withLock { $0[ObjectIdentifier(subscription)] = receive }
        return subscription
    }

    var guarantees: ProviderGuarantees { InMemoryElectionProvider().guarantees }
    func acquire(_ requests: [AcquireRequest]) async throws -> [AcquireAnswer] { [] }
    func renew(_ requests: [RenewRequest]) async throws -> [RenewAnswer] { [] }
    func release(_ requests: [ReleaseRequest]) async throws -> [ReleaseAnswer] { [] }
    func holders(of groups: [ElectionGroup]) async throws -> [HolderAnswer] { [] }
}
