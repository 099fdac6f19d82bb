// SPDX-License-Identifier: MIT
#if SQLite
internal import LeaderElection
internal import Synchronization

/// Who wants to hear of changes.
final class HintSubscribers: Sendable {
    private let receivers = Mutex<[ObjectIdentifier: @Sendable (ProviderHint) -> Void]>([:])

    var isEmpty: Bool { receivers.withLock { $0.isEmpty } }

    func send(_ hint: ProviderHint) {
        for receive in receivers.withLock({ Array($0.values) }) { receive(hint) }
    }

    func add(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> Subscription {
        let subscription = Subscription(self)
        receivers.withLock { $0[ObjectIdentifier(subscription)] = receive }
        return subscription
    }

    final class Subscription: HintSubscription {
        private let subscribers: HintSubscribers

        fileprivate init(_ subscribers: HintSubscribers) { self.subscribers = subscribers }

        deinit { cancel() }

        func cancel() {
            subscribers.receivers.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(self)) }
        }
    }
}
#endif
