// SPDX-License-Identifier: MIT
#if Redis
internal import ElectionStores
internal import LeaderElection
internal import Synchronization

extension RedisLeaseStore {
    /// What one call needs to know before it is sent.
    struct Prepared {
        let node: any RedisNode
        let address: String
        /// The only connection that the call may use; nil if any will do.
        let connection: RedisServerInfo.ConnectionID?
        let limit: [UInt8]
        let publishCommand: [UInt8]
        /// Which doubts an answer settles.
        let doubts: Int
        /// Whether the server may be another one than before, or have been restarted, and nobody has looked yet.
        let isInDoubt: Bool
    }

    /// Finds the server, and looks at what it says of itself when it may be another than at the last call.
    func prepare(until deadline: ElectionInstant) async throws -> Prepared {
        let node = try await topology.node(forKey: keys.authority)
        let (server, isUnidentified) = state.withLock { ($0.server, $0.isUnidentified) }
        let info: RedisServerInfo
        if let server, !isUnidentified {
            info = server
        } else {
            info = try await node.connect(timeout: max(deadline - .now, .milliseconds(1)))
            inspect(info)
        }
        return state.withLock { state in
            let limit = state.clock.latestCredibleServerTime(at: .now, lease: state.longestLease)
            return Prepared(
                node: node,
                address: info.address,
                connection: isUnidentified ? info.connection : nil,
                limit: limit.map { LeaseWord.number($0 / 1_000_000) } ?? [],
                publishCommand: state.publishCommand,
                doubts: state.doubts.raised,
                isInDoubt: shared.options.isQuarantineOn && state.doubts.raised > state.doubts.settled
            )
        }
    }

    private func inspect(_ info: RedisServerInfo) {
        let command = LeaseWord.text(topology.publishCommand(for: info))
        let now = ElectionInstant.now
        state.withLock { state in
            if let former = state.lastServer, former != info.runID { state.clock.serverChanged() }
            if state.lastServer != info.runID { state.doubts.raised += 1 }
            state.server = info
            state.lastServer = info.runID
            state.publishCommand = command
            if state.isUnidentified, state.unidentified?.connection != info.connection {
                state.unidentified = (info.connection, now)
            }
        }
        shared.notices.inspected(info, options: shared.options)
    }

    /// For how long a server that does not tell who it is must be watched before it is believed to know all leases.
    func identificationHold() -> Duration? {
        state.withLock { state in
            guard state.isUnidentified, let unidentified = state.unidentified else { return nil }
            let end = unidentified.since + state.longestLease
            return end > .now ? end - .now : nil
        }
    }

    /// Takes note of what a reply says of the server rather than of a lease.
    func took(_ reply: LeaseReply, sent: ElectionInstant, _ prepared: Prepared) async {
        let received = ElectionInstant.now
        let (jump, lease) = state.withLock { state in
            switch reply.authority {
            case .notAsked: break
            case .unidentified: state.isUnidentified = true
            default: state.hasSeenAuthority = true
            }
            if reply.authority != .notAsked { state.doubts.settled = max(state.doubts.settled, prepared.doubts) }
            let jump = state.clock.observe(
                serverNanoseconds: reply.serverNanoseconds,
                sent: sent,
                received: received,
                longestLease: state.longestLease
            )
            return (jump, state.longestLease)
        }
        shared.notices.answered(reply, by: prepared.address)
        guard let jump else { return }
        let former = state.withLock { $0.lastServer }
        if let present = await prepared.node.connectedServer, present.runID != former {
            // Not a jump: another server, with another clock. Its leases are watched all the same.
            return inspect(present)
        }
        shared.notices.clockJumped(by: jump, at: prepared.address, lease: lease)
    }

    /// While nothing was pushed, the server may have been restarted without any call that noticed.
    func heard(_ push: RedisPush) {
        state.withLock { state in
            switch push {
            case .message: break
            case .interrupted: state.isPushInterrupted = true
            case .subscribed:
                if state.isPushInterrupted { state.doubts.raised += 1 }
                state.isPushInterrupted = false
            }
        }
    }

    func setSubscriptions(_ count: Int) { state.withLock { $0.subscriptions = count } }
}
#endif
