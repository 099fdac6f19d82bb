// SPDX-License-Identifier: MIT

internal import Synchronization

/// What a service notes down about its own well-being, for readers on any thread.
final class HealthBoard: Sendable {
    /// Something that is wrong and has not ended.
    private struct Trouble {
        enum Kind {
            /// What the store's client said last, while nothing is heard.
            case silence
            case warning
            case overrun
            case regression
        }

        let kind: Kind
        let error: ElectionError
        let since: ElectionInstant
    }

    private struct Contents {
        var started: ElectionInstant?
        var isStopped = false
        /// When the first of the questions was sent that nothing was heard after.
        var unanswered: ElectionInstant?
        var hasHeardStore = false
        var jeopardy: (since: ElectionInstant, until: ElectionInstant?)?
        /// At most one of each kind, and nearly always none: room for them would be kept ten thousand times.
        private var troubles: [Trouble] = []

        subscript(kind: Trouble.Kind) -> Trouble? { troubles.first { $0.kind == kind } }

        mutating func begin(_ kind: Trouble.Kind, _ error: ElectionError, since instant: ElectionInstant) {
            end(kind)
            troubles.append(Trouble(kind: kind, error: error, since: instant))
        }

        mutating func end(_ kind: Trouble.Kind) {
            troubles.removeAll { $0.kind == kind }
        }
    }

    private let group: ElectionGroup
    private let leaseDuration: Duration
    private let attemptTimeout: Duration
    private let contents = Mutex(Contents())

    init(group: ElectionGroup, timing: LeaseTiming) {
        self.group = group
        leaseDuration = timing.leaseDuration
        attemptTimeout = timing.attemptTimeout
    }

    // MARK: The engine tells

    func saw(_ phase: ElectionOperation.Phase, at instant: ElectionInstant) {
        contents.withLock { contents in
            switch phase {
            case .send: contents.unanswered = contents.unanswered ?? instant
            case .ok, .fail:
                contents.unanswered = nil
                contents.end(.silence)
                contents.hasHeardStore = true
            case .unknown: break
            }
        }
    }

    func hinted(_ hint: ProviderHint, at instant: ElectionInstant) {
        switch hint {
        case .warning(let error):
            contents.withLock { contents in
                if contents[.warning]?.error != error { contents.begin(.warning, error, since: instant) }
            }
        case .resync:
            // The push channel is back; what is wrong with the store itself stays so.
            contents.withLock { contents in
                if contents[.warning]?.error.code != .storeUnsuitable { contents.end(.warning) }
            }
        case .changed, .freed, .taken, .noted: break
        }
    }

    func saw(_ kind: ElectionEvent.Kind, error: ElectionError?, until: ElectionInstant?, at instant: ElectionInstant) {
        // By far the most frequent one, and nothing to it.
        if kind == .renewed { return }
        contents.withLock { contents in
            switch kind {
            case .ready: contents.started = instant
            case .stopped: contents.isStopped = true
            case .acquired, .lost:
                contents.jeopardy = nil
                if kind == .acquired { contents.end(.regression) }
            case .recovered: contents.jeopardy = nil
            case .jeopardy: contents.jeopardy = contents.jeopardy ?? (instant, until)
            case .changed: contents.end(.regression)
            case .error:
                guard let error else { return }
                switch error.code {
                case .workOverran: contents.begin(.overrun, error, since: instant)
                case .termRegression:
                    if contents[.regression] == nil { contents.begin(.regression, error, since: instant) }
                case .duplicateCandidate: break
                default: if contents.unanswered != nil { contents.begin(.silence, error, since: instant) }
                }
            case .renewed, .renewalFailed, .deferred: break
            }
        }
    }

    func workEnded() {
        contents.withLock { $0.end(.overrun) }
    }

    // MARK: Anybody reads

    func read(at now: ElectionInstant, leader: Leader?, candidate: Candidate) -> ElectionHealth {
        let contents = contents.withLock { $0 }
        if contents.isStopped {
            return ElectionHealth(
                group: group,
                reasons: [.init(cause: .stopped, status: .failed, message: "the service has stopped", since: nil)]
            )
        }
        guard let started = contents.started else {
            let reason = ElectionHealth.Reason(
                cause: .notStarted,
                status: .degraded,
                message: "the service does not run yet",
                since: nil
            )
            return ElectionHealth(group: group, reasons: [reason])
        }
        var reasons: [ElectionHealth.Reason] = []
        func add(_ cause: ElectionHealth.Cause, _ message: String, since: ElectionInstant?) {
            reasons.append(.init(cause: cause, status: .degraded, message: message, since: since))
        }
        if let silence = silence(contents, since: started, at: now) { reasons.append(silence) }
        if let jeopardy = contents.jeopardy {
            let left = jeopardy.until.map { max(.zero, $0 - now).text() } ?? "a while"
            add(.jeopardy, "the lease could not be renewed; it lasts \(left) more", since: jeopardy.since)
        }
        if let warning = contents[.warning] { add(.storeWarning, warning.error.message, since: warning.since) }
        if let overrun = contents[.overrun] { add(.workOverran, overrun.error.message, since: overrun.since) }
        if let leader, leader.id == candidate.id, leader.candidate.incarnation != candidate.incarnation {
            let text = "the leader takes part as \"\(candidate.id)\", too; give each process a name of its own"
            add(.duplicateCandidate, text, since: nil)
        }
        if let regression = contents[.regression] {
            add(.termRegression, regression.error.message, since: regression.since)
        }
        return ElectionHealth(group: group, reasons: reasons)
    }

    private func silence(
        _ contents: Contents,
        since started: ElectionInstant,
        at now: ElectionInstant
    ) -> ElectionHealth.Reason? {
        let detail = contents[.silence].map { ": \($0.error.message)" } ?? ""
        if !contents.hasHeardStore {
            let time = now - started
            return ElectionHealth.Reason(
                cause: .storeNeverHeard,
                status: time >= leaseDuration ? .failed : .degraded,
                message: "the store has not answered in the \(time.text()) since the service began\(detail)",
                since: started
            )
        }
        // A question that is still within its time is no sign of anything.
        guard let unanswered = contents.unanswered, contents[.silence] != nil || now - unanswered > attemptTimeout
        else {
            return nil
        }
        let time = now - unanswered
        return ElectionHealth.Reason(
            cause: .storeSilent,
            status: time >= leaseDuration ? .failed : .degraded,
            message: "the store has not answered for \(time.text())\(detail)",
            since: unanswered
        )
    }
}
