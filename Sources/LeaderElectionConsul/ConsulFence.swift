// SPDX-License-Identifier: MIT
#if Consul
internal import NIOCore

/// What holds as long as no other candidate can lead: a fence for what you write to Consul's key-value store.
///
/// A pause can strike between asking whether you lead and writing. Write in one transaction that begins with the fence,
/// and the servers refuse what comes too late, with status 409 and nothing changed:
/// ```
/// PUT /v1/txn
/// [<operations of the fence>, {"KV": {"Verb": "set", "Key": "app/state", "Value": "…"}}]
/// ```
public struct ConsulFence: Hashable, Sendable {
    /// The key of the group.
    public let key: String
    /// The session that must hold it.
    public let session: String
    /// The index that the key must still have: the term, unless the lease was handed over.
    public let index: Int64

    init(key: String, session: String, index: Int64) {
        self.key = key
        self.session = session
        self.index = index
    }

    /// Two operations in JSON with a comma between them: that the session holds the key, and that the key is the same.
    public var operations: String {
        let checks = [
            KVOperation.checkSession(key, session: session), .checkIndex(key, UInt64(clamping: index)),
        ]
        return String(String(buffer: KVOperation.body(checks)).dropFirst().dropLast())
    }
}
#endif
