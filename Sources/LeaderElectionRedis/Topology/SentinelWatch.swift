// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection
internal import Synchronization

/// Listens to the sentinels, so that a fail-over is followed at once and not only when something goes wrong.
final class SentinelWatch: Sendable {
    /// Returns false if it need not be called again; called on the event loop.
    typealias Handler = @Sendable (_ error: ElectionError, _ address: String) -> Bool

    private struct State {
        var subscription: RedisPushLink.Subscription?
        var handlers: [Handler] = []
        var isStopped = false
    }

    private let directory: SentinelDirectory
    private let state = Mutex(State())

    init(_ directory: SentinelDirectory) { self.directory = directory }

    /// Calls `handler` when the sentinels have made another server the primary.
    func onSwitch(_ handler: @escaping Handler) {
        state.withLock { $0.handlers.append(handler) }
    }

    /// Begins to listen, if it has not yet.
    func start() {
        state.withLock { state in
            guard state.subscription == nil, !state.isStopped else { return }
            state.subscription = RedisPushLink.start(
                name: "sentinels",
                "+switch-master",
                loop: directory.loop,
                patience: { .seconds(2) },
                dial: { [directory] in directory.dialSentinel() },
                { [weak self] push in
                    if case .message(let payload) = push { self?.heard(payload) }
                }
            )
        }
    }

    func stop() {
        let subscription = state.withLock { state in
            state.isStopped = true
            defer { state.subscription = nil }
            return state.subscription
        }
        subscription?.cancel()
    }

    /// The message is: name, old host, old port, new host, new port.
    private func heard(_ payload: [UInt8]) {
        let words = String(decoding: payload, as: UTF8.self).split(separator: " ")
        guard words.count >= 5, words[0] == directory.primary[...], let port = Int(words[4]) else { return }
        let address = "\(RedisSettings.Address.host(String(words[3]), port: port))"
        let error = ElectionError(
            .storeUnavailable,
            "the sentinels have made \(address) the primary \"\(directory.primary)\" of Redis; it is connected "
                + "instead of \(words[1]):\(words[2])"
        )
        let handlers = state.withLock { state in
            defer { state.handlers = [] }
            return state.handlers
        }
        let living = handlers.filter { $0(error, address) }
        state.withLock { $0.handlers += living }
    }
}
#endif
