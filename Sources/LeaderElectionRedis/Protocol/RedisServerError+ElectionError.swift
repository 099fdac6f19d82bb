// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection

extension RedisServerError {
    /// Whether it says that this connection is not welcome, rather than this command.
    var isAboutTheConnection: Bool {
        ["NOAUTH", "WRONGPASS", "DENIED"].contains(prefix) || message.hasPrefix("max number of clients")
    }

    /// Whether another server is to be asked: this one takes no writes, or is no primary any more.
    var meansNotPrimary: Bool { ["READONLY", "MASTERDOWN"].contains(prefix) }

    /// What the people who run the server need to know.
    /// - Parameters:
    ///   - server: where it is, for people.
    ///   - command: what was asked for, where the answer itself may not say so.
    func electionError(_ server: String, command: String? = nil) -> ElectionError {
        let (code, text) = explanation(server, command.map { " (\($0))" } ?? "")
        return ElectionError(code, "\(text) (\(prefix) \(message.prefix(300)))", cause: self)
    }

    private func explanation(_ server: String, _ command: String) -> (ElectionError.Code, String) {
        switch prefix {
        case "WRONGPASS": (.storeRefused, "Redis at \(server) does not accept this user or password; correct them")
        case "NOAUTH": (.storeRefused, "Redis at \(server) wants a password; give user and password")
        case "NOPERM":
            (
                .storeRefused,
                "the user at Redis \(server) lacks a permission\(command); extend its ACL by what is named here"
            )
        case "DENIED":
            (.storeRefused, "Redis at \(server) is in protected mode; set a password there, or bind it to an address")
        case "READONLY": (.storeUnavailable, "Redis at \(server) is a read-only replica; connect to its primary")
        case "LOADING": (.storeUnavailable, "Redis at \(server) is still loading its data; wait until it has done so")
        case "MASTERDOWN":
            (.storeUnavailable, "Redis at \(server) is a replica that has lost its primary; connect to the primary")
        case "OOM":
            (.storeUnavailable, "Redis at \(server) is out of memory; raise its maxmemory, or make room")
        case "NOREPLICAS":
            (.storeUnavailable, "Redis at \(server) has too few replicas to take writes; start them")
        case "MISCONF":
            (.storeUnavailable, "Redis at \(server) takes no writes because it cannot save; look into its log and disk")
        case "CLUSTERDOWN":
            (.storeUnavailable, "the cluster of Redis at \(server) is down; bring back the nodes that own its slots")
        case "MOVED":
            (
                .storeUnsuitable,
                "Redis at \(server) is one of several nodes of a cluster; say redis+cluster:// instead of redis://"
            )
        case "ASK", "TRYAGAIN":
            (.storeUnavailable, "a slot of the cluster of Redis at \(server) is moving; wait until it has settled")
        case "CROSSSLOT":
            (.storeUnsuitable, "keys of one call belong to different slots of the cluster of Redis at \(server)")
        case "BUSY":
            (.storeUnavailable, "Redis at \(server) is busy with a script; end that by SCRIPT KILL")
        case "NOSCRIPT": (.storeUnavailable, "Redis at \(server) keeps forgetting scripts; do not flush them")
        default:
            if message.hasPrefix("max number of clients") {
                (.storeUnavailable, "Redis at \(server) has no connection left; raise maxclients there")
            } else if message.hasPrefix("The user executing the script can't") {
                // What NOPERM would say; up to here it is not told which command or key it was.
                (
                    .storeRefused,
                    "the user at Redis \(server) lacks a permission for what the scripts of an election do; extend its "
                        + "ACL by all commands that the documentation names, among them TIME, HMGET, HSET and HDEL"
                )
            } else if message.hasPrefix("unknown command") {
                (.storeUnsuitable, "Redis at \(server) does not know a command\(command); use Redis 5 or newer")
            } else {
                (.storeUnavailable, "Redis at \(server) refuses a command\(command)")
            }
        }
    }
}
#endif
