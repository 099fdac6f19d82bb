// SPDX-License-Identifier: MIT

/// When to check, and what follows from the scores: a pure value.
struct HealthMachine: Sendable {
    enum Verdict: Hashable, Sendable {
        case well
        /// With what the last check said.
        case unwell(String)
    }

    private var check: HealthCheck
    private var isChecking = false
    private var round: UInt64 = 0
    private var nextCheck: ElectionInstant
    /// Nil before the first check that counts.
    private var isWell: Bool?
    private var failures = 0
    private var successes = 0
    /// What the last check said; nil before it.
    private(set) var score: Double?

    init(_ check: HealthCheck, at now: ElectionInstant) {
        self.check = check
        nextCheck = now
    }

    /// From the next check on; what was counted so far still counts.
    mutating func change(to check: HealthCheck, at now: ElectionInstant) {
        self.check = check
        nextCheck = min(nextCheck, now + check.interval)
    }

    /// When to call ``timerFired(at:)``; nil while a check is under way.
    var wakeup: ElectionInstant? { isChecking ? nil : nextCheck }

    /// The number of the check to make now; nil if it is not time.
    mutating func timerFired(at now: ElectionInstant) -> UInt64? {
        guard !isChecking, now >= nextCheck else { return nil }
        isChecking = true
        round += 1
        return round
    }

    /// A check came back or was given up; what the candidate has to do about it, nil if nothing.
    mutating func checked(
        _ result: Result<HealthCheck.Score, any Error>,
        of number: UInt64,
        at now: ElectionInstant
    ) -> Verdict? {
        guard isChecking, number == round else { return nil }
        isChecking = false
        nextCheck = now + check.interval
        let value = (try? result.get())?.value ?? 0
        score = value
        let needed = isWell == false ? check.recoveryScore ?? check.minimumScore : check.minimumScore
        if value >= needed {
            failures = 0
            successes += 1
            guard isWell != true, isWell == nil || successes >= check.recoveryThreshold else { return nil }
            isWell = true
            return .well
        }
        successes = 0
        failures += 1
        guard isWell != false, isWell == nil || failures >= check.failureThreshold else { return nil }
        isWell = false
        return .unwell(Self.text(result, needed: needed))
    }

    private static func text(_ result: Result<HealthCheck.Score, any Error>, needed: Double) -> String {
        switch result {
        case .success(let score):
            let details = score.details.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
            return "score \(score.value) of at least \(needed)"
                + (details.isEmpty ? "" : " (\(details.joined(separator: ", ")))")
        case .failure(let error): return (error as? ElectionError)?.message ?? "\(error)"
        }
    }
}
