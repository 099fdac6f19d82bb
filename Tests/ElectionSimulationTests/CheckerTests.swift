// SPDX-License-Identifier: MIT

internal import ElectionSimulation
internal import LeaderElection
internal import Testing

/// Histories that never happened, each with one thing wrong in it: the checker must find just that.
@Suite
struct CheckerTests {
    private static let second: Int64 = 1_000_000_000
    private let nonces = (1...4).map { Nonce(high: 0, low: $0) }

    private func checker() -> Checker {
        Checker(groups: 1) { $0.wholeNanoseconds * 9 / 10 }
    }

    private func reading(
        _ process: Int,
        term: Int64?,
        until: Int64 = 5,
        seen: Int64? = nil
    ) -> Checker.Reading {
        Checker.Reading(
            process: process,
            group: 0,
            term: term,
            deadline: term.map { _ in ElectionInstant(nanoseconds: until * Self.second) },
            realDeadline: term.map { _ in until * Self.second },
            seenTerm: seen
        )
    }

    private func operation(
        _ kind: ElectionOperation.Kind,
        _ phase: ElectionOperation.Phase,
        _ nonce: Nonce,
        term: Int64? = nil,
        at second: Int64 = 1
    ) throws -> ElectionOperation {
        ElectionOperation(
            group: try ElectionGroup("g"),
            kind: kind,
            phase: phase,
            term: term,
            nonce: nonce,
            instant: ElectionInstant(nanoseconds: second * Self.second),
            validUntil: nil
        )
    }

    @Test
    func anOrderlyHistoryIsAccepted() throws {
        var checker = checker()
        for (index, term) in [(0, 5), (1, 7)] as [(Int, Int64)] {
            checker.audited(try operation(.acquire, .send, nonces[index]), process: index, group: 0, leads: false)
            checker.granted(term, to: nonces[index], group: 0, isNew: true)
            checker.audited(
                try operation(.acquire, .ok, nonces[index], term: term),
                process: index,
                group: 0,
                leads: false
            )
            checker.read([reading(index, term: term)], at: 2) { _, _ in 6 * Self.second }
            let isAccepted = checker.wrote(term, process: index, group: 0)
            #expect(isAccepted)
            checker.read([reading(index, term: nil)], at: 3) { _, _ in nil }
            checker.audited(
                try operation(.release, .send, nonces[index], term: term),
                process: index,
                group: 0,
                leads: false
            )
        }
        #expect(checker.violation == nil)
    }

    @Test
    func twoLeadersAreFound() {
        var checker = checker()
        checker.read([reading(0, term: 5), reading(1, term: 6)], at: 1) { _, _ in 9 * Self.second }
        #expect(checker.violation?.invariant == "S1")
    }

    @Test
    func twoLeadersAfterTheStoreForgotAreTheDocumentedException() {
        var checker = checker()
        checker.granted(5, to: nonces[0], group: 0, isNew: true)
        checker.storeForgot()
        checker.granted(6, to: nonces[1], group: 0, isNew: true)
        checker.read([reading(0, term: 5), reading(1, term: 6)], at: 1) { _, term in term == 6 ? 9 * Self.second : nil }
        #expect(checker.violation == nil)
        checker.read([reading(1, term: 6), reading(2, term: 6)], at: 1) { _, _ in 9 * Self.second }
        #expect(checker.violation?.invariant == "S1")
    }

    @Test
    func aTermForTwoNoncesIsFound() {
        var checker = checker()
        checker.granted(5, to: nonces[0], group: 0, isNew: true)
        checker.granted(5, to: nonces[1], group: 0, isNew: false)
        #expect(checker.violation?.invariant == "S2")
    }

    @Test
    func aTermThatWentBackIsFound() {
        var checker = checker()
        checker.granted(5, to: nonces[0], group: 0, isNew: true)
        checker.granted(4, to: nonces[1], group: 0, isNew: true)
        #expect(checker.violation?.invariant == "S2")
    }

    @Test
    func aWriteInAForeignTermIsFound() throws {
        var checker = checker()
        checker.audited(try operation(.acquire, .send, nonces[0]), process: 0, group: 0, leads: false)
        checker.granted(5, to: nonces[0], group: 0, isNew: true)
        _ = checker.wrote(5, process: 1, group: 0)
        #expect(checker.violation?.invariant == "S3")
    }

    @Test
    func theFenceRejectsAnOlderTerm() {
        var checker = checker()
        let isFirstAccepted = checker.wrote(7, process: 0, group: 0)
        let isSecondAccepted = checker.wrote(6, process: 1, group: 0)
        #expect(isFirstAccepted)
        #expect(!isSecondAccepted)
        #expect(checker.violation == nil)
    }

    @Test
    func leadingBelowAKnownTermIsFound() {
        var checker = checker()
        checker.read([reading(0, term: nil, seen: 9)], at: 1) { _, _ in nil }
        checker.read([reading(0, term: 8)], at: 2) { _, _ in 9 * Self.second }
        #expect(checker.violation?.invariant == "S4")
    }

    @Test
    func aClaimThatOutlivesItsLeaseIsFound() {
        var late = checker()
        late.read([reading(0, term: 5, until: 9)], at: 1) { _, _ in 8 * Self.second }
        #expect(late.violation?.invariant == "S5")
        var gone = checker()
        gone.read([reading(0, term: 5)], at: 1) { _, _ in nil }
        #expect(gone.violation?.invariant == "S5")
    }

    @Test
    func aDeadlineCountedFromTheAnswerIsFound() throws {
        var checker = checker()
        checker.audited(try operation(.acquire, .send, nonces[0], at: 1), process: 0, group: 0, leads: false)
        checker.granted(5, to: nonces[0], group: 0, isNew: true)
        let lease = Duration.seconds(10)
        checker.claimed(5, lease: lease, deadline: .init(nanoseconds: 10 * Self.second), process: 0, group: 0)
        #expect(checker.violation == nil)
        checker.claimed(5, lease: lease, deadline: .init(nanoseconds: 11 * Self.second), process: 0, group: 0)
        #expect(checker.violation?.invariant == "C5")
    }

    @Test
    func aTermThatCameBackIsFound() {
        var checker = checker()
        for term in [5, nil, 5] as [Int64?] {
            checker.read([reading(0, term: term)], at: 1) { _, _ in 9 * Self.second }
        }
        #expect(checker.violation?.invariant == "S6")
    }

    @Test
    func aReleaseWhileLeadingIsFound() throws {
        var checker = checker()
        checker.granted(5, to: nonces[0], group: 0, isNew: true)
        checker.audited(try operation(.release, .send, nonces[0], term: 5), process: 0, group: 0, leads: true)
        #expect(checker.violation?.invariant == "S7")
    }

    @Test
    func aStoreThatChangesAForeignLeaseIsFound() {
        for kind in [ElectionOperation.Kind.acquire, .renew, .release] {
            var checker = checker()
            checker.recordChanged(by: kind, group: 0, holder: (nonces[0], 5), nonce: nonces[1], term: 5)
            #expect(checker.violation?.invariant == "S8", "\(kind)")
        }
        var checker = checker()
        checker.recordChanged(by: .renew, group: 0, holder: nil, nonce: nonces[0], term: 5)
        #expect(checker.violation?.invariant == "S8")
    }

    @Test
    func aRenewalWithAWrongNonceIsFound() throws {
        var checker = checker()
        checker.granted(5, to: nonces[0], group: 0, isNew: true)
        checker.audited(try operation(.renew, .send, nonces[1], term: 5), process: 0, group: 0, leads: true)
        #expect(checker.violation?.invariant == "S9")
    }

    @Test
    func aNonceOfTwoProcessesIsFound() throws {
        var checker = checker()
        checker.audited(try operation(.acquire, .send, nonces[0]), process: 0, group: 0, leads: false)
        checker.audited(try operation(.acquire, .send, nonces[0]), process: 1, group: 0, leads: false)
        #expect(checker.violation?.invariant == "S9")
    }

    @Test
    func theFirstViolationIsKept() {
        var checker = checker()
        checker.fail("S1", "first")
        checker.fail("S2", "second")
        #expect(checker.violation == Checker.Violation(invariant: "S1", message: "first"))
    }
}
