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
    }

    private let stores: [RedisLeaseStore]
    private let shared: RedisLeaseStore.Shared
    private let state = Mutex(State())

    init(stores: [RedisLeaseStore], shared: RedisLeaseStore.Shared) {
        self.stores = stores
        self.shared = shared
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
            for change in message.changes where !(message.sender == sender && change.kind == .granted) {
                notices.subscribers.send(change.hint(listeners: message.listeners))
            }
        case .subscribed:
            notices.pushIsBack()
            notices.subscribers.send(.resync)
        case .interrupted(let error): notices.pushInterrupted(error)
        }
    }
}

/// What the scripts publish: who sent it and how many hear it, then a line for each change.
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
    /// How many processes the server sent this to; 0 if it does not say.
    let listeners: Int
    let changes: [Change]

    /// Nil for what no script publishes; a line that cannot be understood is left out.
    init?(_ bytes: [UInt8]) {
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let header = bytes[..<end].split(separator: UInt8(ascii: " "), maxSplits: 1)
        sender = Array(header.first ?? [])
        listeners = header.count == 2 ? Int(String(decoding: header[1], as: UTF8.self)) ?? 0 : 0
        changes = bytes[(end + 1)...].split(separator: UInt8(ascii: "\n")).compactMap { line in
            guard let kind = line.first.flatMap({ Kind(rawValue: $0) }),
                let space = line.firstIndex(of: UInt8(ascii: " ")),
                let term = Int64(String(decoding: line[(line.startIndex + 1)..<space], as: UTF8.self)),
                let group = try? ElectionGroup(String(decoding: line[(space + 1)...], as: UTF8.self))
            else { return nil }
            return Change(kind: kind, term: term, group: group)
        }
    }
}
#endif
