// SPDX-License-Identifier: MIT

#if Observability
internal import LeaderElection

/// Turns what is seen of one election into measurements; it lives on the observer's own thread.
struct ElectionReading {
    private struct Call: Hashable {
        let kind: ElectionOperation.Kind
        let nonce: Nonce
    }

    private static let maximumCalls = 16

    /// The value of the label `group`.
    let group: String?
    /// When each call was sent that is not answered yet.
    private var calls: [Call: ElectionInstant] = [:]
    private var isLeading = false
    private var hasLease = false
    private var deadline: ElectionInstant?
    private var isLeaderless = false
    private var leaderlessSince: ElectionInstant?
    private var lastAsked: ElectionInstant?
    private var isStopped = false
    private var spans: TermSpans?

    init(group: String?, spans: TermSpans?) {
        self.group = group
        self.spans = spans
    }

    mutating func tell(_ observation: ElectionObservation, _ meters: inout ElectionMeters) {
        switch observation {
        case .operation(let operation): tell(operation, &meters)
        case .event(let event): tell(event, &meters)
        }
    }

    /// Observations were dropped: nothing that spans two of them can be relied on; the present state counts.
    mutating func resync(term: Int64?, knowsLeader: Bool, at now: ElectionInstant, _ meters: inout ElectionMeters) {
        guard !isStopped else { return }
        calls = [:]
        (leaderlessSince, lastAsked, deadline) = (nil, nil, nil)
        spans?.end(unless: term, at: now)
        setLeading(term != nil, &meters)
        setLease(term != nil, &meters)
        setLeaderless(!knowsLeader, at: now, &meters)
        leaderlessSince = nil
    }

    // MARK: Calls

    private mutating func tell(_ operation: ElectionOperation, _ meters: inout ElectionMeters) {
        let call = Call(kind: operation.kind, nonce: operation.nonce)
        if operation.phase == .send {
            if calls.count >= Self.maximumCalls { calls = [:] }
            calls[call] = operation.instant
            if operation.kind == .acquire { lastAsked = operation.instant }
            return
        }
        let outcome =
            switch operation.phase {
            case .ok: "ok"
            case .fail: "refused"
            case .unknown, .send: "unknown"
            }
        if let sent = calls.removeValue(forKey: call) {
            let metric: ElectionMetric =
                switch operation.kind {
                case .acquire: .acquireDuration
                case .renew: .renewDuration
                case .release: .releaseDuration
                }
            meters.time(metric, group, operation.instant - sent, ("outcome", outcome))
            spans?.call(operation, sent: sent, outcome: outcome)
        }
        switch (operation.kind, operation.phase) {
        case (.acquire, .ok): setLease(true, &meters)
        case (.renew, .ok):
            if let deadline { meters.time(.renewalMargin, group, deadline - operation.instant) }
            if let until = operation.validUntil { deadline = deadline.map { max($0, until) } }
        case (.renew, .fail), (.release, .ok), (.release, .fail): setLease(false, &meters)
        default: break
        }
    }

    // MARK: Events

    private mutating func tell(_ event: ElectionEvent, _ meters: inout ElectionMeters) {
        switch event.kind {
        case .ready:
            isStopped = false
            setLeaderless(event.leader == nil, at: event.instant, &meters)
            // Not to know yet who leads is no gap.
            leaderlessSince = nil
        case .acquired:
            meters.count(.acquisitions, group)
            meters.time(.failoverTime, group, event.instant - (leaderlessSince ?? lastAsked ?? event.instant))
            deadline = event.validUntil
            setLeading(true, &meters)
            setLeaderless(false, at: event.instant, &meters)
            spans?.begin(event)
        case .renewed: meters.count(.renewals, group)
        case .renewalFailed: meters.count(.renewalFailures, group, event.error.map { ("error", "\($0.code)") })
        case .jeopardy:
            meters.count(.jeopardies, group)
            spans?.note("jeopardy", at: event.instant)
        case .recovered: spans?.note("recovered", at: event.instant)
        case .lost:
            let reason = Self.bounded(event.reason)
            meters.count(.losses, group, ("reason", reason))
            // Who was paused is told late: the claim itself ended with its deadline.
            let end = min(event.instant, deadline ?? event.instant)
            deadline = nil
            setLeading(false, &meters)
            if event.reason == .expired || event.reason == .superseded { setLease(false, &meters) }
            setLeaderless(true, at: end, &meters)
            spans?.end(reason, at: end)
        case .changed: setLeaderless(event.leader == nil, at: event.instant, &meters)
        case .deferred: meters.count(.deferrals, group)
        case .error:
            guard let error = event.error else { return }
            meters.count(.errors, group, ("error", "\(error.code)"))
            if error.code == .workOverran { meters.count(.workOverruns, group) }
            spans?.note("\(error.code)", at: event.instant)
        case .stopped:
            isStopped = true
            setLeading(false, &meters)
            setLease(false, &meters)
            // Nobody looks any more: neither a leader nor the lack of one is known.
            leaderlessSince = nil
            setLeaderless(false, at: event.instant, &meters)
            spans?.end("stopped", at: event.instant)
        }
    }

    private mutating func setLeading(_ leads: Bool, _ meters: inout ElectionMeters) {
        guard leads != isLeading else { return }
        isLeading = leads
        meters.change(.leading, group, by: leads ? 1 : -1)
    }

    private mutating func setLease(_ has: Bool, _ meters: inout ElectionMeters) {
        guard has != hasLease, !(has && isStopped) else { return }
        hasLease = has
        meters.change(.activeLeases, group, by: has ? 1 : -1)
    }

    private mutating func setLeaderless(_ vacant: Bool, at instant: ElectionInstant, _ meters: inout ElectionMeters) {
        guard vacant != isLeaderless else { return }
        isLeaderless = vacant
        meters.change(.leaderless, group, by: vacant ? 1 : -1)
        if vacant {
            leaderlessSince = instant
        } else {
            if let since = leaderlessSince { meters.time(.leaderlessTime, group, instant - since) }
            leaderlessSince = nil
        }
    }

    /// Reasons are open to extension; labels are not.
    private static func bounded(_ reason: ElectionReason?) -> String {
        let known: [ElectionReason] = [.expired, .superseded, .resigned, .stopped, .clockJumped]
        return reason.flatMap { known.contains($0) ? $0.rawValue : nil } ?? "other"
    }
}
#endif
