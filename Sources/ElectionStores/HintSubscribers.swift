// SPDX-License-Identifier: MIT

package import LeaderElection
internal import Synchronization

/// Who wants to hear of changes.
package final class HintSubscribers: Sendable {
    private let receivers = Mutex<[ObjectIdentifier: @Sendable (ProviderHint) -> Void]>([:])

    package init() {}

    package var isEmpty: Bool { receivers.withLock { $0.isEmpty } }

    package func send(_ hint: ProviderHint) {
        for receive in receivers.withLock({ Array($0.values) }) { receive(hint) }
    }

    package func add(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> Subscription {
        let subscription = Subscription(self)
        receivers.withLock { $0[ObjectIdentifier(subscription)] = receive }
        return subscription
    }

    package final class Subscription: HintSubscription {
        private let subscribers: HintSubscribers

        fileprivate init(_ subscribers: HintSubscribers) { self.subscribers = subscribers }

        deinit { cancel() }

        package func cancel() {
            subscribers.receivers.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(self)) }
        }
    }
}
