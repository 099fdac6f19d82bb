// SPDX-License-Identifier: MIT

internal import LeaderElection
internal import LeaderElectionConfiguration
internal import Synchronization

/// Uses a store as two candidates would, and says what an operator should know.
struct StoreExamination {
    /// So many renewals are timed.
    private static var renewals: Int { 100 }
    /// A push takes milliseconds; what takes longer than this is as good as none.
    private static var patience: Duration { .seconds(2) }
    /// Fewer round trips than this in a lease are too few for retries (p99 against T).
    private static var tripsPerLease: Int { 20 }

    let leader: any ElectionProvider
    private let waiting: any ElectionProvider
    let lease: Duration
    /// How far the store's clock may run faster or slower than ours.
    let driftBound: Double
    private let candidates = ["leader", "waiting"].map {
        Candidate(id: "elect-doctor (\($0))", incarnation: Nonce(), metadata: [:])
    }
    private let hints = Hints()

    /// - Parameter driftBound: how far clocks may differ in rate; nil for the standard.
    init(
        _ leader: any ElectionProvider,
        _ waiting: any ElectionProvider,
        lease: Duration,
        driftBound: Double? = nil
    ) {
        (self.leader, self.waiting, self.lease) = (leader, waiting, lease)
        self.driftBound = driftBound ?? ElectionConfiguration.standard.clockDriftBound
    }

    /// Everything in order; ends early where the rest makes no sense.
    ///
    /// - Throws: ``CommandFailure`` if the store cannot be reached.
    func findings() async throws -> [StoreFinding] {
        let group = try CommandFailure.translating { try ElectionGroup("elect-doctor") }
        do { try leader.validate(group, leaseDuration: lease) } catch {
            return [
                .trouble(
                    "lease",
                    ElectionError.wrapping(error).message,
                    why: "no election with this lease can start",
                    remedy:
                        "choose another lease-duration, of at least \(DurationText.format(leader.guarantees.minimumLeaseDuration))"
                )
            ]
        }
        let start = ElectionInstant.now
        if let error = try await unsuitability(group) { return [refused("reach", error)] }
        var findings = [reach(ElectionInstant.now - start), guarantees]
        findings += await settings()
        let clock = await clockReading()
        let subscriptions = [leader, waiting].compactMap { ($0 as? any PushingProvider)?.hints(hints.receive) }
        defer { for subscription in subscriptions { subscription.cancel() } }
        do {
            findings += try await lead(group)
        } catch let finding as Stop {
            findings.append(finding.finding)
        }
        if let clock { findings += await clockFindings(since: clock) }
        // What the store's own examination has told already, and better, is not repeated.
        let seen = Set(findings.map(\.seen))
        findings += hints.warnings.filter { !seen.contains($0.message) }.map { warning in
            .trouble(
                "warning",
                warning.message,
                why: "the store itself says that it endangers elections",
                remedy: "correct what it names"
            )
        }
        return findings
    }

    private struct Stop: Error { var finding: StoreFinding }

    private func reach(_ time: Duration) -> StoreFinding {
        .fine("reach", "the store answers; the first answer took \(time.text())")
    }

    private var guarantees: StoreFinding {
        let promise =
            switch leader.guarantees.exclusion {
            case .consensus: "survives the loss of a minority of servers"
            case .durableAuthority: "holds as long as the one authority keeps its data"
            case .asynchronousFailover: "holds except around a fail-over that loses writes: fence by term"
            case .processLocal: "holds within one process only"
            }
        return .fine("guarantee", "exclusion \(promise)")
    }

    // MARK: One life of a leader

    private func lead(_ group: ElectionGroup) async throws -> [StoreFinding] {
        let nonce = Nonce()
        let term = try await acquire(group, nonce)
        var findings: [StoreFinding] = []
        do {
            if let noted = await notes(of: group) { findings.append(noted) }
            findings.append(try await times(of: group, nonce, term))
            let other = Nonce()
            findings.append(try await refusal(group, other))
            hints.forget()
            let released = ElectionInstant.now
            try await release(group, nonce, term, leader)
            findings.append(await push(group, since: released))
            findings.append(try await successor(group, other, after: term))
        } catch {
            // Whatever went wrong, nothing is left behind that others would have to wait for.
            try? await release(group, nonce, term, leader)
            throw error
        }
        return findings
    }

    private func acquire(_ group: ElectionGroup, _ nonce: Nonce) async throws -> Int64 {
        let answer = try await ask("rights") { try await leader.acquire([request(group, nonce, candidates[0])]) }
        switch answer {
        case .granted(let term, _): return term
        case .held(let record):
            throw CommandFailure.unavailable(
                "\(Output.printable(record.holder.id)) holds the group \(group); another doctor is at it, wait for it to end"
            )
        case .deferred(let time, let reason):
            throw Stop(
                finding: .trouble(
                    "grant",
                    "the store grants nothing for \(time.text()): \(reason)",
                    why: "nobody can begin to lead meanwhile",
                    remedy: "wait, and find out why it forgot or moved if nobody restarted it"
                )
            )
        case .unknown(let error):
            let error = ElectionError.wrapping(error)
            // Some stores can be read without being there.
            if [.storeUnavailable, .timedOut].contains(error.code) { throw CommandFailure.unavailable(error.message) }
            throw Stop(finding: refused(error.code == .invalidConfiguration ? "lease" : "rights", error))
        }
    }

    private func times(of group: ElectionGroup, _ nonce: Nonce, _ term: Int64) async throws -> StoreFinding {
        var times: [Duration] = []
        for _ in 0..<Self.renewals {
            let start = ElectionInstant.now
            let answer = try await ask("renewal") {
                try await leader.renew([
                    RenewRequest(group: group, nonce: nonce, term: term, leaseDuration: lease, timeout: lease / 6)
                ])
            }
            switch answer {
            case .renewed: times.append(ElectionInstant.now - start)
            case .lost:
                throw Stop(
                    finding: .trouble(
                        "renewal",
                        "the lease was gone while it was being renewed",
                        why: "leaders would lose their leases for no reason",
                        remedy: "find out who deletes or overwrites the store's records"
                    )
                )
            case .unknown(let error): throw Stop(finding: refused("renewal", error))
            }
        }
        times.sort()
        let (median, slow) = (times[times.count / 2], times[times.count * 99 / 100])
        let seen = "a renewal takes \(median.text()), one in a hundred \(slow.text())"
        guard slow * Self.tripsPerLease > lease else { return .fine("latency", seen) }
        return .trouble(
            "latency",
            seen,
            why:
                "a lease of \(lease.text()) leaves less than \(Self.tripsPerLease) such times, so that a slow "
                + "moment ends leadership",
            remedy:
                "use a lease-duration of at least \(DurationText.format(slow * Self.tripsPerLease)), or a nearer store"
        )
    }

    private func refusal(_ group: ElectionGroup, _ nonce: Nonce) async throws -> StoreFinding {
        let answer = try await ask("exclusion") { try await waiting.acquire([request(group, nonce, candidates[1])]) }
        switch answer {
        case .held: return .fine("exclusion", "a second candidate is refused while the first one leads")
        case .deferred(_, let reason): return .fine("exclusion", "a second candidate has to wait: \(reason)")
        case .granted(let term, _):
            try? await release(group, nonce, term, waiting)
            throw Stop(
                finding: .trouble(
                    "exclusion",
                    "a second candidate was granted the lease while the first one held it",
                    why: "two would lead at once",
                    remedy: "check that both connections reach the same store: a balancer, replicas, two file systems"
                )
            )
        case .unknown(let error): throw Stop(finding: refused("exclusion", error))
        }
    }

    private func push(_ group: ElectionGroup, since released: ElectionInstant) async -> StoreFinding {
        guard leader.guarantees.pushesRelease else {
            return .trouble(
                "push",
                "a release is not pushed here",
                why: "others learn of it when the lease would have ended, or by polling",
                remedy: "connect without a pooler in transaction mode"
            )
        }
        guard let heard = await hints.first(of: group, within: Self.patience) else {
            return .trouble(
                "push",
                "nothing was heard of a release within \(Self.patience.text())",
                why: "others learn of it when the lease would have ended, or by polling",
                remedy:
                    "connect without a pooler in transaction mode, check the rights to listen (channel, watch), and that "
                    + "nothing between drops idle connections"
            )
        }
        return .fine("push", "a release reaches who waits after \((heard - released).text())")
    }

    private func successor(_ group: ElectionGroup, _ nonce: Nonce, after term: Int64) async throws -> StoreFinding {
        for _ in 0..<20 {
            let answer = try await ask("terms") { try await waiting.acquire([request(group, nonce, candidates[1])]) }
            switch answer {
            case .granted(let next, _):
                try? await release(group, nonce, next, waiting)
                if next > term { return .fine("terms", "the next term is larger: \(next) after \(term)") }
                return .trouble(
                    "terms",
                    "the next term is \(next), not larger than \(term)",
                    why: "fencing by term does not protect any more",
                    remedy: "check the clock of the store, and whether its data was restored from a backup"
                )
            case .deferred, .held: try? await Task.sleep(for: .milliseconds(50))
            case .unknown(let error): throw Stop(finding: refused("terms", error))
            }
        }
        return .trouble(
            "terms",
            "a lease that was given back is not granted to the next candidate",
            why: "a group would stay without a leader until the lease ends",
            remedy: "look whether another program uses the group elect-doctor"
        )
    }

    // MARK: Calls

    private func request(_ group: ElectionGroup, _ nonce: Nonce, _ candidate: Candidate) -> AcquireRequest {
        AcquireRequest(group: group, candidate: candidate, nonce: nonce, leaseDuration: lease, timeout: lease / 6)
    }

    private func release(
        _ group: ElectionGroup,
        _ nonce: Nonce,
        _ term: Int64,
        _ provider: any ElectionProvider
    ) async throws {
        _ = try await provider.release([ReleaseRequest(group: group, nonce: nonce, term: term, timeout: lease / 6)])
    }

    private func ask<Answer>(_ check: String, _ call: () async throws -> [Answer]) async throws -> Answer {
        do {
            if let answer = try await call().first { return answer }
        } catch {
            throw Stop(finding: refused(check, error))
        }
        throw Stop(
            finding: .trouble(
                check,
                "the store gave no answer",
                why: "no election works",
                remedy: "report it with the name of the store"
            )
        )
    }

    private func refused(_ check: String, _ error: any Error) -> StoreFinding {
        let error = ElectionError.wrapping(error)
        let remedy =
            switch error.code {
            case .storeUnavailable, .timedOut: "see whether the store is overloaded, or its network"
            default: "do what the message says"
            }
        return .trouble(
            check,
            error.message,
            why: "nobody can lead over this store as it is",
            remedy: remedy + ", then run the doctor again"
        )
    }

    /// What both connections are told.
    private final class Hints: Sendable {
        private struct State {
            var warnings: [ElectionError] = []
            var heard: [(group: ElectionGroup?, at: ElectionInstant)] = []
        }
        private let state = Mutex(State())

        var receive: @Sendable (ProviderHint) -> Void {
            { hint in
                self.state.withLock { state in
                    if case .warning(let error) = hint {
                        if !state.warnings.contains(error) { state.warnings.append(error) }
                    } else {
                        state.heard.append((hint.group, .now))
                    }
                }
            }
        }

        var warnings: [ElectionError] { state.withLock { $0.warnings } }

        func forget() { state.withLock { $0.heard = [] } }

        /// When something was first said of the group.
        func first(of group: ElectionGroup, within limit: Duration) async -> ElectionInstant? {
            let deadline = ElectionInstant.now + limit
            while true {
                let heard = state.withLock { $0.heard.first { $0.group == group || $0.group == nil }?.at }
                if heard != nil || ElectionInstant.now > deadline { return heard }
                try? await Task.sleep(for: .milliseconds(1))
            }
        }
    }
}
