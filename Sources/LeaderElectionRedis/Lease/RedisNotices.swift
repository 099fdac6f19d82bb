// SPDX-License-Identifier: MIT
#if Redis
internal import ElectionStores
internal import LeaderElection
internal import Logging
internal import Synchronization

/// What people should hear about the servers, each cause once until it changes.
final class RedisNotices: Sendable {
    private struct State {
        /// By subject, what was last told.
        var told: [String: String] = [:]
        /// What nobody was there to hear.
        var unheard: [ElectionError] = []
        /// How often in a row a server of a quorum failed.
        var failures: [String: Int] = [:]
        var interruption: (error: ElectionError, since: ElectionInstant)?
    }

    /// A push channel that comes back at once is not worth a word.
    private static let patience = Duration.seconds(2)

    let subscribers = HintSubscribers()
    private let logger: Logger?
    private let state = Mutex(State())

    init(logger: Logger?) { self.logger = logger }

    /// What was to be told before anybody listened.
    func takeUnheard() -> [ElectionError] {
        state.withLock { state in
            defer { state.unheard = [] }
            return state.unheard
        }
    }

    func inspected(_ info: RedisServerInfo, options: RedisProviderOptions) {
        let place = info.address
        report("eviction \(place)", Self.eviction(info).map { ElectionError(.storeUnsuitable, $0) })
        if info.isAppendOnly == false, !isTold("persistence \(place)") {
            note(
                "persistence \(place)",
                "the server \(place) does not write every change to disk (appendonly no): after its restart nothing new "
                    + "is granted until leases that it may have forgotten are over"
            )
        }
        if let replicas = info.connectedReplicas, replicas > 0, options.waitForReplicas == 0 {
            note(
                "replicas \(place)",
                "the server \(place) has \(replicas) replicas, and grants do not wait for them: a fail-over may forget "
                    + "the last ones; set waitForReplicas to narrow that gap"
            )
        }
    }

    func answered(_ reply: LeaseReply, by address: String) {
        if reply.isPushDenied {
            report(
                "publish \(address)",
                ElectionError(
                    .storeRefused,
                    "this user may not publish on \(address): others hear of releases only when they ask; permit "
                        + "+publish (in a cluster +spublish) and the prefix's channel"
                )
            )
        }
        switch reply.authority {
        case .unidentified:
            report(
                "identity \(address)",
                ElectionError(
                    .storeRefused,
                    "this user may not run INFO on \(address): a restart of the server cannot be told from a lost "
                        + "connection, so that nothing new is granted for a whole lease after each; permit +info"
                )
            )
        case .replaced, .emptied:
            if reply.hold > .zero { logger?.warning("\(Self.reason(reply)) (\(address))") }
        default: break
        }
        let interruption = state.withLock { state -> ElectionError? in
            guard let interruption = state.interruption, ElectionInstant.now - interruption.since > Self.patience else {
                return nil
            }
            state.interruption = nil
            return interruption.error
        }
        if let interruption {
            report(
                "push",
                ElectionError(
                    interruption.code,
                    "releases are not pushed to this process, which asks when leases run out: \(interruption.message)",
                    cause: interruption.cause
                )
            )
        }
    }

    func clockJumped(by jump: Duration, at address: String, lease: Duration) {
        let error = ElectionError(
            .storeUnsuitable,
            "the clock of the server \(address) jumped forward by \(jump.text()); leases that it ended early are watched "
                + "for \(lease.text()) before anybody takes them over. Set the clock slowly (slew), not in steps"
        )
        logger?.warning("\(error.message)")
        send(error)
    }

    func pushIsBack() {
        let wasTold = state.withLock { state in
            state.interruption = nil
            return state.told.removeValue(forKey: "push") != nil
        }
        if wasTold { logger?.info("releases are pushed to this process again") }
    }

    func pushInterrupted(_ error: ElectionError) {
        state.withLock { $0.interruption = (error, $0.interruption?.since ?? .now) }
    }

    /// A server of a quorum failed; worth a word when it goes on.
    func memberFailed(_ name: String, _ error: ElectionError) {
        let failures = state.withLock { state in
            state.failures[name, default: 0] += 1
            return state.failures[name] ?? 0
        }
        guard failures >= 3 else { return }
        // Whether a silent server is met by a call, by an attempt to connect or by none at all changes all the time.
        report(
            "member \(name)",
            cause: error.code == .timedOut ? "it is silent" : error.message,
            ElectionError(
                error.code,
                "the server \(name) of the quorum is missing, the others go on: \(error.message)",
                cause: error
            )
        )
    }

    func memberAnswered(_ name: String) {
        let wasTold = state.withLock { state in
            guard state.failures.removeValue(forKey: name) != nil else { return false }
            return state.told.removeValue(forKey: "member \(name)") != nil
        }
        if wasTold { logger?.info("the server \(name) of the quorum is back") }
    }

    /// What the server may do to leases when its memory is full; nil if nothing.
    static func eviction(_ info: RedisServerInfo) -> String? {
        guard let policy = info.maxMemoryPolicy, policy != "noeviction" else { return nil }
        return "the server \(info.address) may throw leases away when its memory is full (maxmemory-policy \(policy)); "
            + "set it to noeviction, or use a server of its own for elections"
    }

    /// Why nothing is granted for a while.
    static func reason(_ reply: LeaseReply?) -> String {
        switch reply?.authority {
        case .replaced: "the server was restarted or replaced, and may have forgotten leases that still run"
        case .emptied: "the server's data was deleted; leases of before may still run"
        case .restarted: "the server was started only now, and may have forgotten leases that still run"
        case .unidentified, nil: "the server does not tell who it is; leases that it may have forgotten may still run"
        case .notAsked, .known, .fresh:
            "the server was restarted, replaced or emptied a short time ago, and may have forgotten leases that still run"
        }
    }

    private func isTold(_ subject: String) -> Bool { state.withLock { $0.told[subject] != nil } }

    /// To the log only: true of many good servers.
    private func note(_ subject: String, _ text: String) {
        guard change(subject, text) else { return }
        logger?.notice("\(text)")
    }

    /// - Parameter cause: what makes it news when it changes; nil for the message.
    private func report(_ subject: String, cause: String? = nil, _ error: ElectionError?) {
        guard change(subject, cause ?? error?.message), let error else { return }
        logger?.warning("\(error.message)")
        send(error)
    }

    private func send(_ error: ElectionError) {
        if subscribers.isEmpty {
            state.withLock { if $0.unheard.count < 16 { $0.unheard.append(error) } }
        } else {
            subscribers.send(.warning(error))
        }
    }

    private func change(_ subject: String, _ text: String?) -> Bool {
        state.withLock { state in
            defer { state.told[subject] = text }
            return state.told[subject] != text
        }
    }
}
#endif
