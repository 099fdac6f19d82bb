// SPDX-License-Identifier: MIT

/// One step of one call to the store, for the audit trail of `elect --history` and for the simulation's checker.
package struct ElectionOperation: Sendable {
    package enum Kind: String, Sendable { case acquire, renew, release }
    package enum Phase: String, Sendable { case send, ok, fail, unknown }

    package var group: ElectionGroup
    package var kind: Kind
    package var phase: Phase
    package var term: Int64?
    package var nonce: Nonce
    package var instant: ElectionInstant
    package var validUntil: ElectionInstant?

    package init(
        group: ElectionGroup,
        kind: Kind,
        phase: Phase,
        term: Int64? = nil,
        nonce: Nonce,
        instant: ElectionInstant,
        validUntil: ElectionInstant? = nil
    ) {
        self.group = group
        self.kind = kind
        self.phase = phase
        self.term = term
        self.nonce = nonce
        self.instant = instant
        self.validUntil = validUntil
    }
}
