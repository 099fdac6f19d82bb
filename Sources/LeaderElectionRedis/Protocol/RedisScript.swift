// SPDX-License-Identifier: MIT
#if Redis

/// A script for the server's interpreter, known there by the digest of its source.
struct RedisScript: Sendable, Hashable {
    let source: String
    /// SHA-1 in small hexadecimal digits, as `SCRIPT LOAD` answers it.
    let digest: String

    init(source: String) {
        self.source = source
        digest = SHA1.hexDigest(of: Array(source.utf8))
    }

    static func == (one: RedisScript, other: RedisScript) -> Bool { one.digest == other.digest }

    func hash(into hasher: inout Hasher) { hasher.combine(digest) }
}
#endif
