// SPDX-License-Identifier: MIT

/// Has a candidate take part in an election only while it is well.
///
/// The service calls the check at every ``interval`` for as long as it runs, whether it leads or not. A candidate that is
/// not well does not campaign, and gives leadership up in an orderly way: its work ends first. Before the first check
/// has succeeded it does not campaign either.
///
/// ```swift
/// configuration.healthCheck = HealthCheck { try await database.ping(); return 1 }
/// ```
public struct HealthCheck: Sendable {
    /// How well a candidate is.
    public struct Score: Hashable, Sendable, ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral {
        /// From 0, useless, to 1, perfectly well; whatever lies outside is taken for the nearer end, not-a-number for 0.
        public let value: Double
        /// What people should know about it; told in logs and events when it changes what the candidate does.
        public let details: [String: String]

        /// A score, with details where there are any.
        public init(_ value: Double, details: [String: String] = [:]) {
            self.value = value.isNaN ? 0 : min(max(value, 0), 1)
            self.details = details
        }

        /// A score without details.
        public init(floatLiteral value: Double) { self.init(value) }
        /// A score without details.
        public init(integerLiteral value: Int) { self.init(Double(value)) }
    }

    /// How often to check, from the end of one check to the beginning of the next; from 100 milliseconds to 1 day.
    public var interval = Duration.seconds(5)
    /// How long a check may take, from 10 milliseconds to 1 day; one that takes longer, or throws, has a score of 0.
    public var timeout = Duration.seconds(2)
    /// The lowest score that counts as well, from 0 to 1.
    public var minimumScore = 0.5
    /// The lowest score that counts as well again after the candidate was not; by default ``minimumScore``.
    ///
    /// The distance between them keeps a score that trembles from moving leadership.
    public var recoveryScore: Double?
    /// How many checks in a row must fail before the candidate leaves the election; from 1 to 1000.
    public var failureThreshold = 3
    /// How many checks in a row must succeed before it comes back, from 1 to 1000; the very first one counts alone.
    public var recoveryThreshold = 3

    let check: @Sendable () async throws -> Score

    /// A check with the usual thresholds.
    ///
    /// - Parameter check: says how well this process is. It runs on a thread that all checks of the process share. A
    ///   check that blocks or never returns counts as failed and never delays the election.
    public init(_ check: @escaping @Sendable () async throws -> Score) {
        self.check = check
    }
}

extension HealthCheck {
    /// Refuses values that make no sense, before anything begins.
    func validate() throws {
        func refuse(_ what: String) -> ElectionError { ElectionError(.invalidConfiguration, "healthCheck: \(what)") }
        guard (.milliseconds(100) ... .seconds(86400)).contains(interval) else {
            throw refuse("interval \(interval.text()) is out of range; use 100 milliseconds to 1 day")
        }
        guard (.milliseconds(10) ... .seconds(86400)).contains(timeout) else {
            throw refuse("timeout \(timeout.text()) is out of range; use 10 milliseconds to 1 day")
        }
        guard (0...1).contains(minimumScore) else {
            throw refuse("minimumScore \(minimumScore) is out of range; use 0 to 1")
        }
        if let recoveryScore, !(minimumScore...1).contains(recoveryScore) {
            throw refuse("recoveryScore \(recoveryScore) is not between minimumScore \(minimumScore) and 1")
        }
        guard (1...1000).contains(failureThreshold) else {
            throw refuse("failureThreshold \(failureThreshold) is out of range; use 1 to 1000")
        }
        guard (1...1000).contains(recoveryThreshold) else {
            throw refuse("recoveryThreshold \(recoveryThreshold) is out of range; use 1 to 1000")
        }
    }
}
