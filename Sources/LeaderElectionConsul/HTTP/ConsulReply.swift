// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import NIOCore

/// What an agent answered to a request that it carried out, or that it refused for a reason that is part of the game.
struct ConsulReply: Sendable {
    enum Outcome: Hashable, Sendable {
        case done
        /// 404: there is no such session, or no key with that prefix.
        case missing
        /// 409: an operation of a transaction failed, and nothing was changed.
        case conflict
    }

    var outcome: Outcome
    /// When the request was handed to the transport.
    var sent: ElectionInstant
    /// `X-Consul-Index`.
    var index: UInt64?
    var body: ByteBuffer
}
#endif
