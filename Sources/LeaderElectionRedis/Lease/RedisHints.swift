// SPDX-License-Identifier: MIT
#if Redis
internal import ElectionStores
internal import LeaderElection
internal import Synchronization

/// Listens to the channels of a provider while anybody wants to hear of them.
final class RedisHints: Sendable {
    private struct State {
        var listeners = 0
        var channels: [any RedisSubscription] = []
        /// For each store, the kinds of groups that this process is a candidate of; it stays one until the end.
        var buckets: [[Bool]]
    }

    private let stores: [RedisLeaseStore]
    private let shared: RedisLeaseStore.Shared
    private let state: Mutex<State>
    private let lot = Int.random(in: 0..<HintSpread.lots)

    init(stores: [RedisLeaseStore], shared: RedisLeaseStore.Shared) {
        self.stores = stores
        self.shared = shared
        state = Mutex(State(buckets: stores.map { _ in Array(repeating: false, count: LeaseKeys.buckets) }))
    }

    /// From now on this process may be among the few that are told first of a release in one of these groups.
    func join(_ groups: some Sequence<ElectionGroup>) {
        state.withLock { state in
            for group in groups {
                let number = stores.count == 1 ? 0 : LeaseKeys.part(of: group, among: stores.count)
                let bucket = LeaseKeys.bucket(of: group)
                guard !state.buckets[number][bucket] else { continue }
                state.buckets[number][bucket] = true
                guard state.channels.indices.contains(number) else { continue }
                state.channels[number].join([stores[number].keys.lot(lot, bucket: bucket)])
            }
        }
    }

    func add(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription {
        let subscription = shared.notices.subscribers.add(receive) { [self] in remove() }
        for error in shared.notices.takeUnheard() { receive(.warning(error)) }
        state.withLock { state in
            state.listeners += 1
            guard state.listeners == 1 else { return }
            for store in stores { store.setSubscriptions(1) }
            state.channels = stores.map { store in
                let prefix = shared.sender
                return store.topology.subscribe(channel: store.keys.channel, patience: shared.patience) {
                    [weak store, notices = shared.notices] push in
                    store?.heard(push)
                    Self.pushed(push, sender: prefix, notices)
                }
            }
            for (number, store) in stores.enumerated() {
                let buckets = state.buckets[number].indices.filter { state.buckets[number][$0] }
                state.channels[number].join(buckets.map { store.keys.lot(lot, bucket: $0) })
            }
        }
        return subscription
    }

    private func remove() {
        let ended = state.withLock { state -> [any RedisSubscription] in
            state.listeners -= 1
            guard state.listeners == 0 else { return [] }
            for store in stores { store.setSubscriptions(0) }
            defer { state.channels = [] }
            return state.channels
        }
        for channel in ended { channel.cancel() }
    }

    private static func pushed(_ push: RedisPush, sender: [UInt8], _ notices: RedisNotices) {
        switch push {
        case .message(let bytes):
            guard let message = ChangeMessage(bytes) else { return }
            for (change, listeners) in message.changes where !(message.sender == sender && change.kind == .granted) {
                notices.subscribers.send(change.hint(listeners: listeners))
            }
        case .subscribed:
            notices.pushIsBack()
            notices.subscribers.send(.resync)
        case .interrupted(let error): notices.pushInterrupted(error)
        }
    }
}

/// What the scripts publish; see ``LeaseScripts/publishing``.
struct ChangeMessage {
    enum Kind: UInt8 {
        case granted = 0x2B  // +
        case released = 0x2D  // -
        case transferred = 0x7E  // ~
        case noted = 0x21  // !
    }

    struct Change: Hashable {
        let kind: Kind
        let term: Int64
        let group: ElectionGroup

        func hint(listeners: Int) -> ProviderHint {
            switch kind {
            case .granted: .taken(group, listeners: listeners)
            case .released: .freed(group, listeners: listeners)
            case .transferred: .changed(group)
            case .noted: .noted(group)
            }
        }
    }

    let sender: [UInt8]
    /// Each change with the number of those who may act on it: of the group's candidates if the server tells it, or of all
    /// who listen; 0 if it does not say.
    let changes: [(change: Change, listeners: Int)]

    /// Nil for what no script publishes; a line that cannot be understood is left out.
    init?(_ bytes: [UInt8]) {
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let header = bytes[..<end].split(separator: UInt8(ascii: " "), maxSplits: 1)
        sender = Array(header.first ?? [])
        let listeners = header.count == 2 ? Int(String(decoding: header[1], as: UTF8.self)) ?? 0 : 0
        changes = bytes[(end + 1)...].split(separator: UInt8(ascii: "\n")).compactMap { line in
            guard let kind = line.first.flatMap({ Kind(rawValue: $0) }),
                let space = line.firstIndex(of: UInt8(ascii: " ")),
                let group = try? ElectionGroup(String(decoding: line[(space + 1)...], as: UTF8.self))
            else { return nil }
            let numbers = line[(line.startIndex + 1)..<space].split(
                separator: UInt8(ascii: "/"),
                maxSplits: 1,
                omittingEmptySubsequences: false
            )
            .map { Int64(String(decoding: $0, as: UTF8.self)) }
            guard let term = numbers.first ?? nil else { return nil }
            let candidates = numbers.count == 2 ? numbers[1].flatMap { Int(exactly: $0) } : nil
            return (Change(kind: kind, term: term, group: group), candidates ?? listeners)
        }
    }
}
#endif
