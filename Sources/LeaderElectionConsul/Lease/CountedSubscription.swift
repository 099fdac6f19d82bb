// SPDX-License-Identifier: MIT
#if Consul
internal import ElectionStores
internal import LeaderElection
internal import Synchronization

/// A subscription that tells once when it has ended.
final class CountedSubscription: HintSubscription {
    private let inner: HintSubscribers.Subscription
    private let ended: Mutex<(@Sendable () -> Void)?>

    init(_ inner: HintSubscribers.Subscription, ended: @escaping @Sendable () -> Void) {
        self.inner = inner
        self.ended = Mutex(ended)
    }

    deinit { cancel() }

    func cancel() {
        inner.cancel()
        let ended = ended.withLock { ended in
            defer { ended = nil }
            return ended
        }
        ended?()
    }
}
#endif
