// SPDX-License-Identifier: MIT

import LeaderElection
import Synchronization

/// The in-memory provider with one defect, to see whether the conformance suite finds it.
final class BrokenProvider: PushingProvider {
    enum Defect: String, CaseIterable, Sendable {
        case acquireGrantsToEveryone
        case acquireOwnsByCandidateName
        case acquireOwnsByIncarnation
        case acquireIgnoresPreviousNonce
        case acquireTrustsAnyPreviousNonce
        case acquireTrustsAnyObservation
        case acquireIgnoresObservation
        case acquireForgetsMetadata
        case acquireComparesHalfTheNonce
        case acquireDoesNotRefresh
        case acquireChangesTermOfSameNonce
        case acquireRefusedProlongs
        case acquireThrowsForMixedBatch
        case acquireChecksBeforeSuspending
        case renewIgnoresNonce
        case renewIgnoresTerm
        case renewDoesNothing
        case renewRevivesExpired
        case renewLostProlongs
        case renewFailsWholeBatch
        case releaseIgnoresNonce
        case releaseIgnoresTerm
        case releaseDoesNothing
        case releaseNeedsTerm
        case releaseThrowsTwice
        case termStartsAgainAfterRelease
        case termStaysAfterExpiry
        case termHasNoFloor
        case answersAreReversed
        case answersAreCutShort
        case groupsIgnoreCase
        case groupsAreNormalized
        case groupsAreCutShort
        case groupsAreDecoded
        case groupsMustBeShort
        case leaseNeverEnds
        case remainingIsConstant
        case remainingIsTooLong
        case minimumIsNotChecked
        case versionStandsStill
        case hintsAreMissing
        case hintsOnlyOnRelease
        case hintsGoToOneOnly
        case hintsComeAfterCancel
        case cancellationBreaksProvider
        case emptyBatchIsRefused
        case renewGrantsFreeGroup
        case readingReleases
        case notesAreNotReplaced
        case notesAreOutOfOrder
        case notesAreTrimmed
        case notesAreCutShort
        case notesOfOtherProvidersAreHidden
        case notesIgnoreCaseOfKeys
        case notesAreNotChecked
        case notesAreCheckedOneByOne
        case notesNeverExpire
        case notesExpireEarly
        case notesAreNotRefreshed
        case notesRenewTheLease
        case notesEndWithTheLease
        case noteRemovalTakesAll
        case noteRemovalNeedsANote
        case noteHintsAreMissing
        case noteHintsAreAlwaysSent
        case transferOnlyReleases
        case transferDoesNothing
        case transferKeepsTheTerm
        case transferKeepsTheDeadline
        case transferIgnoresNonce
        case transferIgnoresTerm
        case transferRevivesExpired
        case transferTakesWhatIsFree
        case transferFailsWholeBatch
        case transferChecksBeforeSuspending
        case transferIsNotPushed
        case transferEndsWithProvider
        case transferToItselfKeepsTheTerm
        case transferToAStrangerReleases
        case transferRefusesItsOwnCandidates
        case transferLeavesADoorOpen
    }

    /// What all providers of one store share.
    final class Shared: Sendable {
        let defect: Defect?
        let clock: any ElectionClock
        let store: InMemoryElectionStore
        let memory = Mutex(Memory())

        init(_ defect: Defect?, clock: any ElectionClock) {
            self.defect = defect
            self.clock = clock
            store = InMemoryElectionStore(clock: clock)
        }
    }

    struct Memory {
        /// What is taken off the terms that the caller sees.
        var termOffset: [String: Int64] = [:]
        var isBroken = false
        var subscriptions: [any HintSubscription] = []
        /// Who asked with which nonce.
        var askers: [Nonce: ObjectIdentifier] = [:]
        /// Who wrote the note of a key last.
        var writers: [String: ObjectIdentifier] = [:]
        /// Leases that are to end with the provider that moved them.
        var transferred: [ObjectIdentifier: [TransferRequest]] = [:]
    }

    struct Refused: Error {}

    let shared: Shared
    var defect: Defect? { shared.defect }
    var store: InMemoryElectionStore { shared.store }

    init(_ shared: Shared) { self.shared = shared }

    deinit { endTransferred() }

    var guarantees: ProviderGuarantees { InMemoryElectionProvider(store: store).guarantees }

    func validate(_ group: ElectionGroup, leaseDuration: Duration) throws {
        if defect == .minimumIsNotChecked { return }
        if defect == .groupsMustBeShort, group.name.utf8.count > 100 { throw Refused() }
        try InMemoryElectionProvider(store: store).validate(group, leaseDuration: leaseDuration)
    }

    func acquire(_ requests: [AcquireRequest]) async throws -> [AcquireAnswer] {
        try meetCancellation()
        if defect == .emptyBatchIsRefused, requests.isEmpty { throw Refused() }
        var answers: [AcquireAnswer] = []
        for request in requests { answers.append(await acquire(request)) }
        let refusals = answers.count { if case .held = $0 { true } else { false } }
        if defect == .acquireThrowsForMixedBatch, refusals > 0, refusals < answers.count { throw Refused() }
        return spoil(answers)
    }

    func renew(_ requests: [RenewRequest]) async throws -> [RenewAnswer] {
        try meetCancellation()
        let answers = requests.map { renew($0) }
        let losses = answers.contains { if case .lost = $0 { true } else { false } }
        if defect == .renewFailsWholeBatch, losses { return answers.map { _ in .lost(nil) } }
        return spoil(answers)
    }

    func release(_ requests: [ReleaseRequest]) async throws -> [ReleaseAnswer] {
        try meetCancellation()
        let answers = requests.map { release($0) }
        if defect == .releaseThrowsTwice, answers.contains(where: { if case .notHeld = $0 { true } else { false } }) {
            throw Refused()
        }
        return spoil(answers)
    }

    func holders(of groups: [ElectionGroup]) async throws -> [HolderAnswer] {
        try meetCancellation()
        defer { if defect == .readingReleases { groups.forEach(giveUp) } }
        return spoil(
            groups.map { group in
                switch store.holder(of: map(group)) {
                case .held(let record): .held(spoil(record, of: group))
                case .free(let term): .free(lastTerm: term.map { seen($0, in: group) })
                case .unknown(let error): .unknown(error)
                }
            }
        )
    }

    func hints(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription {
        if defect == .hintsAreMissing { return store.subscribe { _ in } }
        if defect == .hintsGoToOneOnly, shared.memory.withLock({ !$0.subscriptions.isEmpty }) {
            return store.subscribe { _ in }
        }
        let store = store
        let onlyRelease = defect == .hintsOnlyOnRelease
        let withoutNotes = defect == .noteHintsAreMissing
        let withoutTransfers = defect == .transferIsNotPushed
        let memory = shared
        let subscription = store.subscribe { hint in
            if withoutNotes, case .noted = hint { return }
            if withoutTransfers, case .changed(let group) = hint, memory.isTransferred(group) { return }
            if onlyRelease, case .changed(let group) = hint, store.records[group]?.lease != nil { return }
            receive(hint)
        }
        if defect == .hintsComeAfterCancel || defect == .hintsGoToOneOnly {
            shared.memory.withLock { $0.subscriptions.append(subscription) }
        }
        return defect == .hintsComeAfterCancel ? Deaf() : subscription
    }

    private final class Deaf: HintSubscription {
        func cancel() {}
    }
}

extension BrokenProvider {
    private func acquire(_ original: AcquireRequest) async -> AcquireAnswer {
        var request = original
        request.group = map(request.group)
        shared.memory.withLock { $0.askers[request.nonce] = ObjectIdentifier(self) }
        let record = store.records[request.group]
        let standing = record?.standingLease(at: shared.clock.now)
        let holder = standing?.nonce
        switch defect {
        case .acquireGrantsToEveryone: request.previousNonce = holder
        case .acquireOwnsByCandidateName where standing?.holder.id == request.candidate.id:
            request.nonce = holder ?? request.nonce
        case .acquireOwnsByIncarnation where standing?.holder.incarnation == request.candidate.incarnation:
            request.nonce = holder ?? request.nonce
        case .transferLeavesADoorOpen where shared.isOnItsWay(request.group): request.previousNonce = holder
        case .acquireIgnoresPreviousNonce: request.previousNonce = nil
        case .acquireTrustsAnyPreviousNonce where request.previousNonce != nil: request.previousNonce = holder
        case .acquireTrustsAnyObservation where request.observed != nil: request.previousNonce = holder
        case .acquireIgnoresObservation: request.observed = nil
        case .acquireForgetsMetadata:
            request.candidate = Candidate(id: request.candidate.id, incarnation: request.candidate.incarnation)
        case .acquireComparesHalfTheNonce where holder?.high == request.nonce.high:
            request.nonce = holder ?? request.nonce
        case .acquireDoesNotRefresh where holder == request.nonce:
            if let record { return .granted(term: record.term, leaseDuration: request.leaseDuration) }
        case .acquireChangesTermOfSameNonce where holder == request.nonce:
            request.previousNonce = holder
            request.nonce = Nonce()
        case .acquireRefusedProlongs where holder != nil && holder != request.nonce: prolong(request.group)
        case .acquireChecksBeforeSuspending:
            guard holder == nil || holder == request.nonce || request.previousNonce == holder else { break }
            for _ in 0..<20 { await Task.yield() }
            request.previousNonce = store.records[request.group]?.lease?.nonce
        case .termStaysAfterExpiry where record?.lease != nil && standing == nil:
            prolong(request.group)
            request.nonce = record?.lease?.nonce ?? request.nonce
        case .leaseNeverEnds where record?.lease != nil && standing == nil: prolong(request.group)
        default: break
        }
        switch store.acquire(request) {
        case .granted(let term, let duration):
            return .granted(term: seen(term, in: request.group), leaseDuration: duration)
        case .held(let record): return .held(spoil(record, of: request.group))
        case let other: return other
        }
    }

    private func renew(_ original: RenewRequest) -> RenewAnswer {
        var request = original
        request.group = map(request.group)
        request.term = stored(request.term, in: request.group)
        let record = store.records[request.group]
        var instant: ElectionInstant?
        switch defect {
        case .renewIgnoresNonce: request.nonce = record?.lease?.nonce ?? request.nonce
        case .renewIgnoresTerm: request.term = record?.term ?? request.term
        case .renewDoesNothing:
            if record?.lease?.nonce == request.nonce, record?.term == request.term {
                return .renewed(leaseDuration: request.leaseDuration)
            }
        case .renewRevivesExpired:
            if let deadline = record?.lease?.deadline, deadline <= shared.clock.now {
                instant = deadline.advanced(by: .nanoseconds(-1))
            }
        case .renewLostProlongs: prolong(request.group)
        case .renewGrantsFreeGroup where record == nil: return .renewed(leaseDuration: request.leaseDuration)
        default: break
        }
        switch store.renew(request, at: instant) {
        case .lost(let record): return .lost(record.map { spoil($0, of: request.group) })
        case let other: return other
        }
    }

    private func release(_ original: ReleaseRequest) -> ReleaseAnswer {
        var request = original
        request.group = map(request.group)
        request.term = request.term.map { stored($0, in: request.group) }
        let record = store.records[request.group]
        switch defect {
        case .releaseIgnoresNonce: request.nonce = record?.lease?.nonce ?? request.nonce
        case .releaseIgnoresTerm: request.term = nil
        case .releaseDoesNothing: return record?.lease?.nonce == request.nonce ? .released : .notHeld
        case .releaseNeedsTerm where request.term == nil: return .notHeld
        default: break
        }
        let answer = store.release(request)
        if defect == .termStartsAgainAfterRelease, case .released = answer, let record {
            shared.memory.withLock { $0.termOffset[request.group.name] = record.term }
        }
        return answer
    }

    func prolong(_ group: ElectionGroup) {
        guard let record = store.records[group], let lease = record.lease else { return }
        let renewal = RenewRequest(
            group: group,
            nonce: lease.nonce,
            term: record.term,
            leaseDuration: lease.leaseDuration,
            timeout: .zero
        )
        _ = store.renew(renewal, at: min(shared.clock.now, lease.deadline.advanced(by: .nanoseconds(-1))))
        if lease.deadline <= shared.clock.now {
            _ = store.renew(renewal, at: lease.deadline.advanced(by: .nanoseconds(-1)))
        }
    }

    func giveUp(_ group: ElectionGroup) {
        guard let lease = store.records[group]?.lease else { return }
        _ = store.release(ReleaseRequest(group: group, nonce: lease.nonce, term: nil, timeout: .zero))
    }

    func meetCancellation() throws {
        guard defect == .cancellationBreaksProvider else { return }
        let isBroken = shared.memory.withLock { memory in
            memory.isBroken = memory.isBroken || Task.isCancelled
            return memory.isBroken
        }
        if isBroken { throw Refused() }
    }

    func map(_ group: ElectionGroup) -> ElectionGroup {
        let name: String? =
            switch defect {
            case .groupsIgnoreCase: group.name.lowercased()
            case .groupsAreNormalized: group.name.replacing("e\u{301}", with: "é")
            case .groupsAreCutShort: String(group.name.prefix(64))
            case .groupsAreDecoded: group.name.replacing("%2F", with: "/")
            default: nil
            }
        return name.flatMap { try? ElectionGroup($0) } ?? group
    }

    func spoil<Answer>(_ answers: [Answer]) -> [Answer] {
        switch defect {
        case .answersAreReversed: answers.reversed()
        case .answersAreCutShort: Array(answers.prefix(100))
        default: answers
        }
    }

    private func spoil(_ record: LeaseRecord, of group: ElectionGroup) -> LeaseRecord {
        var record = record
        record.term = seen(record.term, in: group)
        switch defect {
        case .remainingIsConstant: record.remaining = record.leaseDuration
        case .remainingIsTooLong: record.remaining = record.remaining.map { $0 + .milliseconds(1) }
        case .versionStandsStill: record.sequence = 0
        default: break
        }
        return record
    }

    private func offset(of group: ElectionGroup) -> Int64 {
        if defect == .termHasNoFloor {
            // Counts from 1 again as soon as the group's record is gone.
            return shared.memory.withLock { memory in
                if store.records[group]?.term != nil, memory.termOffset[group.name] == nil {
                    memory.termOffset[group.name] = (store.records[group]?.term ?? 1) - 1
                }
                return memory.termOffset[group.name] ?? 0
            }
        }
        return shared.memory.withLock { $0.termOffset[group.name] ?? 0 }
    }

    func seen(_ term: Int64, in group: ElectionGroup) -> Int64 { term - offset(of: group) }
    func stored(_ term: Int64, in group: ElectionGroup) -> Int64 {
        let (sum, overflow) = term.addingReportingOverflow(offset(of: group))
        return overflow ? term : sum
    }
}
