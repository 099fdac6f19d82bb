// SPDX-License-Identifier: MIT
#if Redis
internal import ElectionStores
internal import LeaderElection
internal import Synchronization

/// Listens to all servers of a quorum, and passes on what a majority of them says.
///
/// A release is published by one server after another: asking when the first has told would be too early.
final class QuorumHints: Sendable {
    private struct State {
        var listeners = 0
        var channels: [any RedisSubscription] = []
        var isListening: [Bool]
        /// Changes that some servers have told, and how many of them.
        var votes: [ChangeMessage.Change: Int] = [:]
    }

    private static let maximumVotes = 8192

    private let stores: [RedisLeaseStore]
    private let shared: RedisLeaseStore.Shared
    private let state: Mutex<State>
    private var majority: Int { stores.count / 2 + 1 }

    init(stores: [RedisLeaseStore], shared: RedisLeaseStore.Shared) {
        self.stores = stores
        self.shared = shared
        state = Mutex(State(isListening: Array(repeating: false, count: stores.count)))
    }

    func add(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription {
        let subscription = shared.notices.subscribers.add(receive) { [self] in remove() }
        for error in shared.notices.takeUnheard() { receive(.warning(error)) }
        state.withLock { state in
            state.listeners += 1
            guard state.listeners == 1 else { return }
            state.channels = stores.enumerated().map { number, store in
                store.setSubscriptions(1)
                return store.topology.subscribe(channel: store.keys.channel, patience: shared.patience) {
                    [weak self, weak store] push in
                    store?.heard(push)
                    self?.pushed(push, from: number)
                }
            }
        }
        return subscription
    }

    private func remove() {
        let ended = state.withLock { state -> [any RedisSubscription] in
            state.listeners -= 1
            guard state.listeners == 0 else { return [] }
            defer { state.channels = [] }
            return state.channels
        }
        if !ended.isEmpty { for store in stores { store.setSubscriptions(0) } }
        for channel in ended { channel.cancel() }
    }

    private func pushed(_ push: RedisPush, from number: Int) {
        switch push {
        case .message(let bytes):
            guard let message = ChangeMessage(bytes) else { return }
            for (change, listeners) in message.changes
            where !(message.sender == shared.sender && change.kind == .granted) {
                count(change, listeners)
            }
        case .subscribed:
            let isMajority = state.withLock { state in
                state.isListening[number] = true
                return state.isListening.count { $0 } >= majority
            }
            guard isMajority else { return }
            shared.notices.pushIsBack()
            shared.notices.subscribers.send(.resync)
        case .interrupted(let error):
            let isMajority = state.withLock { state in
                state.isListening[number] = false
                return state.isListening.count { $0 } >= majority
            }
            if !isMajority { shared.notices.pushInterrupted(error) }
        }
    }

    private func count(_ change: ChangeMessage.Change, _ listeners: Int) {
        let isTold = state.withLock { state in
            // What never gets a majority must not pile up; a hint more or less harms nobody.
            if state.votes.count >= Self.maximumVotes { state.votes = [:] }
            let votes = (state.votes[change] ?? 0) + 1
            state.votes[change] = votes == stores.count ? nil : votes
            return votes == majority
        }
        if isTold { shared.notices.subscribers.send(change.hint(listeners: listeners)) }
    }
}
#endif
