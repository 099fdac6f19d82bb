// SPDX-License-Identifier: MIT

package import LeaderElection
internal import Synchronization

/// One call of a provider, as it goes over the wire.
package enum StoreCall: Sendable {
    case acquire([AcquireRequest])
    case renew([RenewRequest])
    case release([ReleaseRequest])
    case read([ElectionGroup])
    case transfer([TransferRequest])
    case write([NoteRequest])
    case remove([NoteRemoval])
    case notes([ElectionGroup])
}

/// Its answer.
package enum StoreReply: Sendable {
    case acquire([AcquireAnswer])
    case renew([RenewAnswer])
    case release([ReleaseAnswer])
    case read([HolderAnswer])
    case transfer([TransferAnswer])
    case changedNotes([NoteAnswer])
    case notes([NotesAnswer])
}

/// The one authority of a world: the real in-memory store behind a wire, with each change of its records looked at.
package final class SimulatedStore: Sendable {
    private let store: InMemoryElectionStore
    package let clock: SimulationClock
    package let groups: [ElectionGroup]
    private let recorder: Recorder
    private let isDown = Mutex(false)
    private let transferred = Mutex<(begun: Set<Int64>, ended: Set<Int64>)>(([], []))

    package init(clock: SimulationClock, groups: [ElectionGroup], recorder: Recorder) {
        self.clock = clock
        self.groups = groups
        self.recorder = recorder
        store = InMemoryElectionStore(clock: clock)
    }

    package var isUp: Bool { isDown.withLock { !$0 } }
    package func goDown() { isDown.withLock { $0 = true } }
    package func comeUp() { isDown.withLock { $0 = false } }

    package func wipe() {
        store.wipe()
        recorder.check { $0.storeForgot() }
    }

    package func subscribe(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription {
        store.subscribe(receive)
    }

    /// Whether a leader handed its lease over to begin this term, as it may in calm weather, too.
    package func wasTransferred(_ term: Int64) -> Bool { transferred.withLock { $0.begun.contains(term) } }

    /// Whether a leader ended this term by handing its lease over.
    package func wasHandedOver(_ term: Int64) -> Bool { transferred.withLock { $0.ended.contains(term) } }

    package func index(of group: ElectionGroup) -> Int { groups.firstIndex(of: group) ?? 0 }

    /// Until when, in real time, the store keeps everybody but the holder of this term off; nil if it does not.
    package func realDeadline(of group: Int, term: Int64) -> Int64? {
        guard let record = store.records[groups[group]], record.term == term, let lease = record.lease else {
            return nil
        }
        return clock.realTime(of: lease.deadline)
    }

    /// Who holds the group at this moment.
    package func holder(of group: ElectionGroup) -> (nonce: Nonce, term: Int64)? {
        guard let record = store.records[group], let lease = record.standingLease(at: clock.now) else { return nil }
        return (lease.nonce, record.term)
    }

    /// Carries a call out, at this instant.
    package func receive(_ call: StoreCall, from process: Int) -> StoreReply {
        recorder.countRequest()
        switch call {
        case .acquire(let requests): return .acquire(requests.map { acquire($0, from: process) })
        case .renew(let requests): return .renew(requests.map { renew($0, from: process) })
        case .release(let requests): return .release(requests.map { release($0, from: process) })
        case .read(let groups): return .read(groups.map { store.holder(of: $0) })
        case .transfer(let requests): return .transfer(requests.map { transfer($0, from: process) })
        case .write(let requests): return .changedNotes(requests.map { store.write($0) })
        case .remove(let requests): return .changedNotes(requests.map { store.remove($0) })
        case .notes(let groups): return .notes(groups.map { .found(store.notes(of: $0)) })
        }
    }

    private func acquire(_ request: AcquireRequest, from process: Int) -> AcquireAnswer {
        let group = index(of: request.group)
        let holder = holder(of: request.group)
        let before = store.records[request.group]
        let answer = store.acquire(request)
        let after = store.records[request.group]
        recorder.check { checker in
            if before != after {
                checker.recordChanged(
                    by: .acquire,
                    group: group,
                    holder: holder,
                    nonce: request.nonce,
                    term: nil,
                    replaces: request.previousNonce
                )
            }
            if case .granted(let term, _) = answer {
                checker.granted(term, to: request.nonce, group: group, isNew: holder?.nonce != request.nonce)
            }
        }
        if case .granted(let term, _) = answer {
            recorder.note(1, process, term, request.nonce.low)
            recorder.trace(
                "store: group \(group) acquired by process \(process), term \(term), nonce \(request.nonce.short)"
            )
        } else {
            recorder.note(2, process, holder?.term ?? 0)
            recorder.trace("store: group \(group) refused to process \(process); term \(holder?.term ?? 0) holds it")
        }
        return answer
    }

    private func renew(_ request: RenewRequest, from process: Int) -> RenewAnswer {
        let group = index(of: request.group)
        let holder = holder(of: request.group)
        let before = store.records[request.group]
        let answer = store.renew(request)
        let after = store.records[request.group]
        recorder.check { checker in
            if before != after {
                checker.recordChanged(
                    by: .renew,
                    group: group,
                    holder: holder,
                    nonce: request.nonce,
                    term: request.term
                )
            }
            if case .lost = answer { checker.denied(request.term, process: process, group: group) }
        }
        if case .renewed = answer {
            recorder.note(3, process, request.term)
            recorder.trace("store: group \(group) renewed by process \(process), term \(request.term)")
        } else {
            recorder.note(4, process, request.term)
            recorder.trace("store: group \(group) renewal of process \(process), term \(request.term), is too late")
        }
        return answer
    }

    private func release(_ request: ReleaseRequest, from process: Int) -> ReleaseAnswer {
        let group = index(of: request.group)
        let holder = holder(of: request.group)
        let before = store.records[request.group]
        let answer = store.release(request)
        let after = store.records[request.group]
        if before != after {
            recorder.check {
                $0.recordChanged(
                    by: .release,
                    group: group,
                    holder: holder,
                    nonce: request.nonce,
                    term: request.term
                )
            }
        }
        recorder.note(5, process, request.term ?? -1, request.nonce.low)
        recorder.trace(
            "store: group \(group) release by process \(process), nonce \(request.nonce.short): \(answer)"
        )
        return answer
    }
}

extension SimulatedStore {
    private func transfer(_ request: TransferRequest, from process: Int) -> TransferAnswer {
        let group = index(of: request.group)
        let holder = holder(of: request.group)
        let answer = store.transfer(request)
        if case .transferred(let term) = answer {
            transferred.withLock { transferred in
                if let term { transferred.begun.insert(term) }
                transferred.ended.insert(request.term)
            }
            recorder.check { checker in
                checker.recordChanged(
                    by: .release,
                    group: group,
                    holder: holder,
                    nonce: request.nonce,
                    term: request.term
                )
                if let term { checker.granted(term, to: request.heirNonce, group: group, isNew: true) }
            }
        }
        recorder.note(6, process, request.term, request.heirNonce.low)
        recorder.trace(
            "store: group \(group) transfer by process \(process) to nonce \(request.heirNonce.short): \(answer)"
        )
        return answer
    }
}

extension Nonce {
    /// Enough of it to tell nonces apart in a trace.
    var short: String { String(description.prefix(6)) }
}
