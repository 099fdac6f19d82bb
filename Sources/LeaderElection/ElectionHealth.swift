// SPDX-License-Identifier: MIT

/// How well one process takes part in one election.
///
/// ```swift
/// let health = election.health
/// if health.status == .failed { report("\(health)") }
/// ```
/// Degraded means that somebody should look; failed means that this process cannot lead, or not be told who does,
/// until something changes. A store that is away fails *every* process that uses it: take a failed one out of a load
/// balancer, but do not have it restarted, because a restart mends no store.
public struct ElectionHealth: Hashable, Sendable {
    /// From good to bad.
    public enum Status: String, Hashable, Sendable, Comparable {
        /// Takes part, and the store answers.
        case healthy
        /// Takes part, but something is wrong.
        case degraded
        /// Does not take part.
        case failed

        private var rank: Int {
            switch self {
            case .healthy: 0
            case .degraded: 1
            case .failed: 2
            }
        }

        /// Whether the left one is better.
        public static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }
    }

    /// What may be wrong.
    public enum Cause: String, Hashable, Sendable, CaseIterable {
        /// The service does not run yet: degraded.
        case notStarted = "not-started"
        /// The service has stopped: failed.
        case stopped
        /// The store has not answered since the service began: degraded, and failed once a lease has passed.
        case storeNeverHeard = "store-never-heard"
        /// The store does not answer any more: degraded, and failed once a lease has passed.
        case storeSilent = "store-silent"
        /// This process leads but could not renew its lease: degraded.
        case jeopardy
        /// The provider has warned of its store, such as that it pushes no changes: degraded until the push channel is
        /// back, or, where it is the store that must be set up otherwise, until the service stops.
        case storeWarning = "store-warning"
        /// Work that was told to end is still running after its term: degraded until it has ended.
        case workOverran = "work-overran"
        /// The leader has this candidate's name but is another process: degraded. Normal for at most a lease after this
        /// process was killed and started again under the same name.
        case duplicateCandidate = "duplicate-candidate"
        /// The store's data went back in time: degraded until a new term is seen.
        case termRegression = "term-regression"
    }

    /// One thing that is wrong.
    public struct Reason: Hashable, Sendable {
        /// What is wrong.
        public let cause: Cause
        /// How bad it is by itself.
        public let status: Status
        /// One sentence for people, without secrets.
        public let message: String
        /// Since when, on the boot clock; nil where nobody knows.
        public let since: ElectionInstant?
    }

    /// The group.
    public let group: ElectionGroup
    /// Everything that is wrong, the worst first; empty if nothing is.
    public let reasons: [Reason]

    /// The worst of the reasons.
    public var status: Status { reasons.first?.status ?? .healthy }

    init(group: ElectionGroup, reasons: [Reason]) {
        self.group = group
        self.reasons = reasons.filter { $0.status == .failed } + reasons.filter { $0.status != .failed }
    }
}

extension ElectionHealth: CustomStringConvertible {
    /// One line for people.
    public var description: String {
        let causes = reasons.map(\.message).joined(separator: "; ")
        return "\(group): \(status.rawValue)" + (causes.isEmpty ? "" : " (\(causes))")
    }
}
