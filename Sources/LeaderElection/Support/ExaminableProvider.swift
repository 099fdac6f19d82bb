// SPDX-License-Identifier: MIT

/// A store that can say what in its own settings an operator should know of.
package protocol ExaminableProvider: ElectionProvider {
    /// Looks at the store's settings and state; changes nothing.
    ///
    /// - Returns: what was looked at, in a fixed order; what this user may not see is left out.
    func examine() async throws -> [StoreFinding]

    /// What the store's own wall clock shows, in nanoseconds since 1970; nil if it has none of its own, or does not tell.
    func storeClock() async throws -> Int64?
}

/// What one check of a store came to.
package struct StoreFinding: Hashable, Sendable {
    /// What was looked at, in one word.
    package var check: String
    /// What was seen.
    package var seen: String
    /// Why that is bad and what to do; nil if all is well.
    package var trouble: (why: String, remedy: String)? { why.map { ($0, remedy ?? "") } }

    private var why: String?
    private var remedy: String?

    /// All is well.
    package static func fine(_ check: String, _ seen: String) -> Self { Self(check: check, seen: seen) }

    /// Something is to be done.
    package static func trouble(_ check: String, _ seen: String, why: String, remedy: String) -> Self {
        Self(check: check, seen: seen, why: why, remedy: remedy)
    }

    private init(check: String, seen: String, why: String? = nil, remedy: String? = nil) {
        (self.check, self.seen, self.why, self.remedy) = (check, seen, why, remedy)
    }

    /// Whether nothing is to be done.
    package var isFine: Bool { trouble == nil }
}
