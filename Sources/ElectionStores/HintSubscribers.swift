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

    /// - Parameter ended: called once, when the subscription was cancelled or let go; ``isEmpty`` knows of it by then.
    package func add(
        _ receive: @escaping @Sendable (ProviderHint) -> Void,
        ended: @escaping @Sendable () -> Void = {}
    ) -> Subscription {
        let subscription = Subscription(self, ended)
        receivers.withLock { $0[ObjectIdentifier(subscription)] = receive }
        return subscription
    }

    package final class Subscription: HintSubscription {
        private let subscribers: HintSubscribers
        private let ended: @Sendable () -> Void

        fileprivate init(_ subscribers: HintSubscribers, _ ended: @escaping @Sendable () -> Void) {
            self.subscribers = subscribers
            self.ended = ended
        }

        deinit { cancel() }

        package func cancel() {
            let receive = subscribers.receivers.withLock { $0.removeValue(forKey: ObjectIdentifier(self)) }
            if receive != nil { ended() }
        }
    }
}
