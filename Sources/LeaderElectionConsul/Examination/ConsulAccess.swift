// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import NIOCore

/// What Consul's access control lets this client do, and what it would have to.
struct ConsulAccess: Hashable {
    /// Whose rights these are.
    enum Owner: Hashable {
        /// There is no access control.
        case everybody
        /// A token, with the names of its policies and roles.
        case token([String], expires: String?)
        /// Somebody who may not see their own token, such as one without any.
        case unknown
    }

    var prefix: String
    var mode: ConsulMode
    var owner: Owner
    var maySession = true
    /// Of the prefix and the places of notes beside it.
    var unwritable: [String] = []

    var finding: StoreFinding {
        if owner == .everybody {
            return .fine("access", "access control is off: whoever reaches the agent may take part, and delete leases")
        }
        let missing = (maySession ? [] : ["session:write"]) + unwritable.map { "key:write for \($0)" }
        guard !missing.isEmpty else {
            return .fine("access", "\(who) has what elections need: \(mode == .cas ? "" : "session:write, ")key:write")
        }
        return .trouble("access", "\(who) lacks \(missing.joined(separator: ", "))", why: why, remedy: remedy)
    }

    private var who: String {
        switch owner {
        case .token(let names, let expires):
            "the token (\(names.isEmpty ? "no policies" : names.joined(separator: ", ")))"
                + (expires.map { ", which expires at \($0)," } ?? "")
        case .everybody, .unknown: "this client, whose token is not known,"
        }
    }

    private var why: String {
        if unwritable.contains(prefix) { return "nobody can lead with it" }
        if !maySession {
            let shorter = mode == .session ? "" : "; shorter ones do without"
            return "leases of 10 s and more need a session\(shorter)"
        }
        return "elections do without notes, but nobody is listed, and resign, transfer, evict and priority do nothing"
    }

    private var remedy: String {
        let keys = unwritable.isEmpty ? [] : [#"key_prefix "\#(prefix.dropLast())" { policy = "write" }"#]
        let sessions = maySession ? [] : [#"session_prefix "" { policy = "write" }"#]
        let instead = maySession || mode == .session || !unwritable.isEmpty ? "" : ", or say mode=cas in the URL"
        return "add to its policy: \((keys + sessions).joined(separator: " "))\(instead)"
    }
}

extension ConsulAccess.Owner {
    private struct Token: Decodable {
        struct Link: Decodable {
            var name: String

            private enum CodingKeys: String, CodingKey { case name = "Name" }
        }

        var policies: [Link]?
        var roles: [Link]?
        var expires: String?

        private enum CodingKeys: String, CodingKey {
            case policies = "Policies"
            case roles = "Roles"
            case expires = "ExpirationTime"
        }
    }

    /// - Parameter token: what Consul says of the token that asks.
    init(_ token: ByteBuffer) {
        if String(buffer: token).contains("ACL support disabled") {
            self = .everybody
        } else if let token = try? TransactionResult.decode(token, as: Token.self) {
            self = .token(((token.policies ?? []) + (token.roles ?? [])).map(\.name), expires: token.expires)
        } else {
            self = .unknown
        }
    }
}
#endif
