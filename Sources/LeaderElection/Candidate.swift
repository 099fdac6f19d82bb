// SPDX-License-Identifier: MIT

/// One participant of an election as others see it.
public struct Candidate: Hashable, Sendable {
    /// The configured name; for people, never used to decide ownership.
    public let id: String
    /// Tells this run of the candidate from an earlier one, and from a namesake.
    public let incarnation: Nonce
    /// Free key-value pairs that the candidate publishes, such as its address.
    public let metadata: [String: String]

    /// A candidate as read from a store or as configured.
    public init(id: String, incarnation: Nonce, metadata: [String: String] = [:]) {
        self.id = id
        self.incarnation = incarnation
        self.metadata = metadata
    }

    /// Whether somebody who says this means it: its name, or its incarnation where names are not unique.
    package func isMeant(by text: String) -> Bool { text == id || text == "\(incarnation)" }
}
