// SPDX-License-Identifier: MIT

internal import Synchronization

/// A flight recorder: the last terms of the elections that it watches, in memory, for a status page or a crash report.
///
/// ```swift
/// let recorder = ElectionRecorder(keeping: 100)
/// recorder.watch(election)
/// for term in recorder.terms { report("\(term)") }
/// ```
/// It knows what this process saw: of own terms everything, of others' when they were seen to begin and to end. What
/// `elect --history` writes is the same in more detail, on disk.
public final class ElectionRecorder: Sendable {
    private struct Current {
        var term: RecordedTerm?
        var deadline: ElectionInstant?
        var vacantSince: ElectionInstant?
        var hasSeenAny = false
    }

    private struct Contents {
        var past: [RecordedTerm] = []
        var current: [ObjectIdentifier: Current] = [:]
    }

    private let limit: Int
    private let contents = Mutex(Contents())

    /// A recorder that keeps so many ended terms, at least one, beside those that still last.
    public init(keeping limit: Int = 100) {
        self.limit = max(1, limit)
    }

    /// Records what happens in the election from here on; the election keeps the recorder alive.
    ///
    /// Costs the election a few nanoseconds an event. Any number of elections may share a recorder.
    public func watch(_ election: ElectionService) {
        election.attach(Watch(recorder: self))
    }

    /// The terms, oldest first; those that still last come last.
    public var terms: [RecordedTerm] {
        contents.withLock { contents in
            contents.past + contents.current.values.compactMap(\.term).sorted { $0.start < $1.start }
        }
    }

    /// One election, told apart from others of the same group.
    private final class Watch: ElectionWitness {
        private let recorder: ElectionRecorder

        init(recorder: ElectionRecorder) { self.recorder = recorder }

        func saw(_ observation: ElectionObservation) {
            switch observation {
            case .operation(let operation): recorder.heard(operation, by: ObjectIdentifier(self))
            case .event(let event): recorder.heard(event, by: ObjectIdentifier(self))
            }
        }
    }

    private func heard(_ operation: ElectionOperation, by watch: ObjectIdentifier) {
        guard operation.kind == .renew, operation.phase != .send else { return }
        contents.withLock { contents in
            guard var current = contents.current[watch], var term = current.term, term.isOwn,
                term.term == operation.term
            else { return }
            if operation.phase == .ok {
                term.renewals += 1
                if let deadline = current.deadline {
                    let margin = deadline - operation.instant
                    term.leastMargin = min(term.leastMargin ?? margin, margin)
                }
                if let until = operation.validUntil { current.deadline = max(current.deadline ?? until, until) }
            } else {
                term.failedRenewals += 1
            }
            current.term = term
            contents.current[watch] = current
        }
    }

    private func heard(_ event: ElectionEvent, by watch: ObjectIdentifier) {
        contents.withLock { contents in
            var current = contents.current[watch] ?? Current()
            switch event.kind {
            case .acquired:
                guard let number = event.term else { return }
                close(&current, .superseded, at: event.instant, &contents.past)
                open(&current, event, leader: event.candidate, term: number, isOwn: true)
                current.deadline = event.validUntil
            case .jeopardy: current.term?.jeopardies += 1
            case .lost:
                // Who was paused is told late: the claim itself ended with its deadline.
                let end = min(event.instant, current.deadline ?? event.instant)
                close(&current, event.reason ?? .superseded, at: end, &contents.past)
            case .changed:
                guard event.leader?.term != current.term?.term else { break }
                let ending: ElectionReason = event.leader == nil ? event.reason ?? .vacant : .superseded
                close(&current, ending, at: event.instant, &contents.past)
                if let leader = event.leader {
                    open(&current, event, leader: leader.id, term: leader.term, isOwn: false)
                }
            case .stopped:
                // From here on nobody looks: how long the term of another lasts will not be known.
                if let term = current.term { keep(term, &contents.past) }
                contents.current[watch] = nil
                return
            case .ready, .renewed, .renewalFailed, .recovered, .deferred, .error: break
            }
            contents.current[watch] = current
        }
    }

    private func open(_ current: inout Current, _ event: ElectionEvent, leader: String, term: Int64, isOwn: Bool) {
        let isFirst = !current.hasSeenAny && !isOwn
        current.term = RecordedTerm(
            group: event.group,
            leader: leader,
            term: term,
            isOwn: isOwn,
            start: event.instant,
            cause: isFirst ? .initial : .elected,
            leaderless: current.vacantSince.map { event.instant - $0 }
        )
        current.hasSeenAny = true
        current.vacantSince = nil
        current.deadline = nil
    }

    private func close(
        _ current: inout Current,
        _ ending: ElectionReason,
        at end: ElectionInstant,
        _ past: inout [RecordedTerm]
    ) {
        guard var term = current.term else { return }
        term.end = max(term.start, end)
        term.ending = ending
        current.vacantSince = term.end
        current.term = nil
        keep(term, &past)
    }

    private func keep(_ term: RecordedTerm, _ past: inout [RecordedTerm]) {
        if past.count >= limit { past.removeFirst(past.count - limit + 1) }
        past.append(term)
    }
}
