// SPDX-License-Identifier: MIT
#if ZooKeeper

/// Whom the servers are to know this client as, by the scheme `digest`.
///
/// The nodes of an election are then made so that only this user can use them. The password is never shown.
public struct ZooKeeperCredentials: Hashable, Sendable, CustomStringConvertible {
    /// The user's name; it holds no colon.
    public let user: String
    private let password: String

    /// A user of the scheme `digest`.
    public init(user: String, password: String) {
        self.user = user
        self.password = password
    }

    /// The user's name only.
    public var description: String { "digest:\(user)" }

    var digest: String { "\(user):\(password)" }
}
#endif
