// SPDX-License-Identifier: MIT

internal import CElectionSystem

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// How one candidate takes part in an election.
///
/// Only ``leaseDuration`` needs thought: it is how long a group stays without a leader after a crash that the store
/// cannot see, and how long the store may be unreachable before the leader must step down. The other intervals follow
/// from it. ``ElectionService/init(_:provider:configuration:clock:logger:)`` refuses values that contradict each other.
public struct ElectionConfiguration: Sendable {
    /// Whether a service competes or only looks on.
    public enum Participation: String, Hashable, Sendable {
        /// Competes for leadership.
        case candidate
        /// Follows who leads and never competes.
        case observer
    }

    /// The candidate's name as others see it, 1 to 255 bytes; by default host, process and four random digits.
    public var candidate: String
    /// Key-value pairs that others can read while this candidate leads; at most 4 KiB in all.
    public var metadata: [String: String]
    /// Whether to compete or only to look on.
    public var participation: Participation = .candidate

    /// Whether the candidate lets others see it while it waits, where the store has a place for that.
    ///
    /// A waiting candidate writes one small note for each group every 10 seconds or every lease, whichever is longer.
    /// Without it nobody can hand leadership to this candidate, and while it leads it follows no operator's instruction
    /// and hands leadership to nobody.
    public var isListed = true
    /// How much this candidate should be preferred to others; the largest leads in the end, from -1000 to 1000.
    ///
    /// Whoever leads hands over to a listed candidate of higher priority that has been there for a whole lease, in a
    /// store that can move leases. It does not decide who wins a free lease.
    public var priority = 0
    /// Called while another still leads and offers its leadership to this candidate, to warm up before the gap.
    ///
    /// Leadership is not handed over before it returns; if it throws, or takes longer than 15 seconds and a lease, it is
    /// not handed over at all. It has no part in an election that is won because a lease ended.
    public var prepare: (@Sendable () async throws -> Void)?

    /// Keeps a candidate that is not well out of the election; by default every candidate counts as well.
    public var healthCheck: HealthCheck?

    /// T: how long a leader that went silent keeps the group; from 1 second to 1 day.
    public var leaseDuration: Duration
    /// R: how often the lease is renewed; by default a third of what a lease is good for.
    public var renewInterval: Duration?
    /// A: how long one call to the store may take before its outcome counts as unknown; by default T/6.
    public var attemptTimeout: Duration?
    /// How long before the end of a lease that could not be renewed work is already cancelled; by default not at all.
    public var gracePeriod: Duration = .zero
    /// How often a candidate that waits looks at the store although nothing was pushed; by default max(T, 30 s).
    public var retryInterval: Duration?
    /// How long a stop or a resignation waits for work to end before it gives up and reports; by default T.
    public var shutdownTimeout: Duration?
    /// ρ: how far any clock's rate may be off, store and candidates alike; from 0 to 0.05.
    public var clockDriftBound: Double = 0.001

    /// A configuration in which everything but the lease has its default.
    public init(
        candidate: String = Self.defaultCandidate(),
        metadata: [String: String] = [:],
        leaseDuration: Duration = .seconds(10)
    ) {
        self.candidate = candidate
        self.metadata = metadata
        self.leaseDuration = leaseDuration
    }

    /// A lease of 3 seconds: a store nearby, and fail-over that people hardly notice.
    public static var fast: Self { Self(leaseDuration: .seconds(3)) }
    /// A lease of 10 seconds.
    public static var standard: Self { Self() }
    /// A lease of 30 seconds: stores far away.
    public static var calm: Self { Self(leaseDuration: .seconds(30)) }

    /// Host name, process identifier and four random digits: unique enough for people to tell candidates apart.
    public static func defaultCandidate() -> String {
        var buffer = [CChar](repeating: 0, count: 65)
        gethostname(&buffer, 64)
        let host = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let digits = String(UInt16.random(in: 0 ... .max), radix: 16)
        return "\(host.isEmpty ? "host" : host)-\(getpid())-\(String(repeating: "0", count: 4 - digits.count))\(digits)"
    }
}

extension ElectionConfiguration {
    /// Refuses names and metadata that a store may not keep.
    func validateCandidate() throws {
        try ElectionError.checkText(candidate, what: "candidate name", code: .invalidCandidate, bytes: 1...255)
        for (key, value) in metadata {
            try ElectionError.checkText(key, what: "metadata key", code: .invalidCandidate, bytes: 1...255)
            try ElectionError.checkText(value, what: "metadata value", code: .invalidCandidate, bytes: 0...4096)
        }
        try Self.checkPriority(priority)
        let size = metadata.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        guard size <= 4096 else {
            throw ElectionError(.invalidCandidate, "the metadata has \(size) bytes; use at most 4096 in all")
        }
    }

    static func checkPriority(_ priority: Int) throws {
        guard (-1000...1000).contains(priority) else {
            throw ElectionError(.invalidConfiguration, "priority \(priority) is out of range; use -1000 to 1000")
        }
    }
}
