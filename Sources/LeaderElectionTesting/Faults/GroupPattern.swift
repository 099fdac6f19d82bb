// SPDX-License-Identifier: MIT

public import LeaderElection

/// Groups by name: one name, or all that begin alike when the pattern ends in `*`.
public struct GroupPattern: Hashable, Sendable, ExpressibleByStringLiteral {
    /// Every group.
    public static let all = GroupPattern("*")

    private let text: [UInt8]
    private let isPrefix: Bool

    /// Only a `*` at the end has a meaning; to name a group that ends in one, use a shorter prefix.
    public init(_ pattern: String) {
        isPrefix = pattern.utf8.last == UInt8(ascii: "*")
        text = Array(pattern.utf8.dropLast(isPrefix ? 1 : 0))
    }

    /// The pattern as written.
    public init(stringLiteral pattern: String) { self.init(pattern) }

    /// Whether the group's name is one of these.
    public func matches(_ group: ElectionGroup) -> Bool {
        isPrefix ? group.name.utf8.starts(with: text) : group.name.utf8.elementsEqual(text)
    }

    /// Whether every group is meant; a hint that concerns all groups matches no other pattern.
    public var matchesAll: Bool { isPrefix && text.isEmpty }
}
