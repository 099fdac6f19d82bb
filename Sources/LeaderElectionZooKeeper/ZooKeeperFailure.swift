// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import CElectionZooKeeper
internal import LeaderElection

/// The library's codes, as numbers.
enum ZooKeeperCode {
    static var ok: Int32 { 0 }
    static var noNode: Int32 { ZNONODE.rawValue }
    static var nodeExists: Int32 { ZNODEEXISTS.rawValue }
    static var noAuth: Int32 { ZNOAUTH.rawValue }
    static var connectionLoss: Int32 { ZCONNECTIONLOSS.rawValue }
    static var closing: Int32 { ZCLOSING.rawValue }

    /// The answer never came: the server may have done what it was asked to, or not.
    static func isUnsure(_ code: Int32) -> Bool {
        [ZCONNECTIONLOSS, ZOPERATIONTIMEOUT, ZCLOSING, ZSESSIONEXPIRED, ZRUNTIMEINCONSISTENCY, ZMARSHALLINGERROR]
            .contains { $0.rawValue == code }
    }
}

extension ZooKeeperSettings {
    /// What people need to know of a request that failed.
    ///
    /// - Parameter needs: what one must have leave to do for it; each node has rights of its own, and passes none on.
    func failure(
        _ code: Int32,
        _ what: String,
        needs: String? = nil,
        group: ElectionGroup? = nil
    ) -> ElectionError {
        let (kind, text): (ElectionError.Code, String) =
            switch code {
            case ZooKeeperCode.noAuth:
                (
                    .storeRefused,
                    "\(what) is denied: let \(credentials.map { "the user \"\($0.user)\"" } ?? "anybody, or give credentials,") "
                        + "\(needs ?? "read, write, create and delete below \(root)"), or correct the credentials"
                )
            case ZooKeeperCode.noNode:
                (
                    .storeRefused,
                    "\(what) failed because \(root) does not exist; create it, or let this client do so (createRoot)"
                )
            case ZAUTHFAILED.rawValue, ZSESSIONCLOSEDREQUIRESASLAUTH.rawValue:
                (.storeRefused, "\(servers) do not accept this client's credentials; correct them")
            case ZINVALIDACL.rawValue:
                (.storeRefused, "\(what) failed because the servers do not know the access rights that were asked for")
            case ZNOTREADONLY.rawValue:
                (.storeUnavailable, "\(what) failed because the server is read-only: it has lost the majority")
            case ZEPHEMERALONLOCALSESSION.rawValue:
                (.storeUnsuitable, "\(what) failed because sessions are local; enable localSessionsUpgradingEnabled")
            case ZooKeeperCode.connectionLoss, ZOPERATIONTIMEOUT.rawValue, ZRUNTIMEINCONSISTENCY.rawValue:
                connectionLost
            case ZooKeeperCode.closing, ZSESSIONEXPIRED.rawValue, ZINVALIDSTATE.rawValue, ZSESSIONMOVED.rawValue:
                (.storeUnavailable, "the session with \(servers) has ended; a new one is begun")
            default:
                (.storeUnavailable, "\(what) failed: \(String(cString: zerror(code))) (\(code))")
            }
        return ElectionError(kind, text, group: group?.name)
    }

    var connectionLost: (ElectionError.Code, String) {
        (.storeUnavailable, "the connection to \(servers) is lost; it is made again as soon as a server lets us in")
    }

    var unreachable: ElectionError {
        ElectionError(
            .storeUnavailable,
            "none of \(servers) lets this client in; check the addresses, that the servers run, and that most of them do"
        )
    }

    var slow: ElectionError {
        ElectionError(.timedOut, "\(servers) did not answer in time; the outcome is unknown")
    }
}
#endif
