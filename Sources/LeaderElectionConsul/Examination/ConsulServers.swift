// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import NIOCore

/// The servers that decide by majority, as far as this token is told of them.
struct ConsulServers: Hashable {
    struct Server: Hashable, Decodable {
        var name: String
        var votes: Bool
        /// Nil if that is not told.
        var isWell: Bool?

        private enum CodingKeys: String, CodingKey {
            case name = "Name"
            case votes = "Voter"
            case isWell = "Healthy"
        }
    }

    private struct Health: Decodable {
        var servers: [Server]

        private enum CodingKeys: String, CodingKey { case servers = "Servers" }
    }

    private(set) var servers: [Server]

    /// - Parameter health: what autopilot says, which needs `operator:read`.
    init(health: ByteBuffer) throws {
        servers = try TransactionResult.decode(health, as: Health.self).servers
    }

    /// - Parameter peers: the addresses of those that vote, which everybody is told.
    init(peers: ByteBuffer) throws {
        let peers = try TransactionResult.decode(peers, as: [String].self)
        servers = peers.map { Server(name: $0, votes: true) }
    }

    /// Nil if there is nobody to tell of.
    var finding: StoreFinding? {
        let voters = servers.filter(\.votes)
        guard !voters.isEmpty else { return nil }
        let majority = voters.count / 2 + 1
        let seen =
            voters.count == servers.count
            ? (voters.count == 1 ? "a single server" : "\(voters.count) servers that vote")
            : "\(servers.count) servers, of which \(voters.count) vote"
        let unwell = servers.filter { $0.isWell == false }
        guard unwell.isEmpty else {
            let left = voters.count { $0.isWell == true } - majority
            let names = unwell.map(\.name).sorted().joined(separator: ", ")
            return .trouble(
                "quorum",
                "\(seen); not well: \(names)",
                why: left > 0
                    ? "elections go on as long as \(majority) of them vote: \(left) more may fail"
                    : "elections go on only as long as \(majority) of them vote: no more may fail",
                remedy: "bring it back; if it is gone for good, remove it (consul operator raft remove-peer)"
            )
        }
        if voters.count == 1 { return .fine("quorum", seen + ", whose loss leaves everybody without a leader") }
        guard voters.count > 2 else {
            return .trouble(
                "quorum",
                seen,
                why: "the loss of either leaves everybody without a leader, which is worse than a single one",
                remedy: "add a third; Consul itself removes a server that is gone, so one may be missing"
            )
        }
        let survives = "the loss of \(voters.count - majority) is survived"
        guard voters.allSatisfy({ $0.isWell == true }) else {
            return .fine("quorum", "\(seen); \(survives); whether all are well is told with operator:read only")
        }
        return .fine("quorum", "\(seen), all of them well; \(survives)")
    }
}
#endif
