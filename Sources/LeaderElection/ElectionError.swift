// SPDX-License-Identifier: MIT

/// What went wrong, where, and what to do about it.
///
/// Losing an election is not an error. A message never holds a password or a whole connection string.
public struct ElectionError: Error, Sendable {
    /// The kind of an error; compare with the static members.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The name that logs and the `elect` command print.
        public let description: String
        private init(_ description: String) { self.description = description }

        /// The group's name is not allowed.
        public static let invalidGroup = Code("invalid-group")
        /// The candidate's name or metadata is not allowed.
        public static let invalidCandidate = Code("invalid-candidate")
        /// Two options contradict each other, or one is out of range.
        public static let invalidConfiguration = Code("invalid-configuration")
        /// A service was run twice.
        public static let alreadyRun = Code("already-run")
        /// The service has stopped, so what was waited for cannot happen any more.
        public static let stopped = Code("stopped")
        /// What was asked for needs leadership, and this candidate does not lead.
        public static let notLeading = Code("not-leading")
        /// Leadership was not handed to the candidate named; the message says why.
        public static let transferRefused = Code("transfer-refused")
        /// The candidate's own health check keeps it out of the election.
        public static let unhealthy = Code("unhealthy")
        /// The store has no place for what was asked: candidates, instructions, or a directed transfer.
        public static let unsupported = Code("unsupported")
        /// Another candidate holds the lease and the caller did not want to wait longer.
        public static let leaseHeld = Code("lease-held")
        /// The lease ended while the work that it protected was running.
        public static let leaseLost = Code("lease-lost")
        /// The store did not answer in time.
        public static let timedOut = Code("timed-out")
        /// The store cannot be reached or does not work now; trying again may help.
        public static let storeUnavailable = Code("store-unavailable")
        /// The store refuses this client: permissions, passwords, read-only media.
        public static let storeRefused = Code("store-refused")
        /// What the store holds cannot be understood.
        public static let storeCorrupted = Code("store-corrupted")
        /// The store cannot give the guarantees that an election needs.
        public static let storeUnsuitable = Code("store-unsuitable")
        /// The store granted a term that is not larger than one already seen: its data went back in time.
        public static let termRegression = Code("term-regression")
        /// A foreign process takes part under this candidate's name.
        public static let duplicateCandidate = Code("duplicate-candidate")
        /// Work protected by a term was still running when the term had ended.
        public static let workOverran = Code("work-overran")
    }

    /// The kind of the error.
    public let code: Code
    /// One sentence that names the value at fault and the remedy.
    public let message: String
    /// The group concerned, where one is.
    public let group: String?
    /// The error beneath, where there is one.
    public let cause: (any Error)?

    /// An error with a message that says what to do.
    public init(_ code: Code, _ message: String, group: String? = nil, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.group = group
        self.cause = cause
    }
}

extension ElectionError: Hashable {
    /// Two errors are equal if they tell people the same; what is beneath does not count.
    public static func == (one: ElectionError, other: ElectionError) -> Bool {
        one.code == other.code && one.message == other.message && one.group == other.group
    }

    /// Hashes what ``==(_:_:)`` compares.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(code)
        hasher.combine(message)
        hasher.combine(group)
    }
}

extension ElectionError: CustomStringConvertible {
    /// Code, group and message, for logs.
    public var description: String {
        let place = group.map { " [\($0)]" } ?? ""
        return "\(code)\(place): \(message)"
    }
}

extension ElectionError {
    /// Wraps what a provider threw, and passes an `ElectionError` through untouched.
    package static func wrapping(_ error: any Error) -> ElectionError {
        error as? ElectionError ?? ElectionError(.storeUnavailable, "\(error)", cause: error)
    }

    /// Refuses a text that is empty, too long, or holds a control character.
    package static func checkText(_ text: String, what: String, code: Code, bytes: ClosedRange<Int>) throws {
        let length = text.utf8.count
        guard bytes.contains(length) else {
            throw ElectionError(
                code,
                "the \(what) \(quoted(text)) has \(length) bytes; use \(bytes.lowerBound) to \(bytes.upperBound)"
            )
        }
        if let scalar = text.unicodeScalars.first(where: { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }) {
            throw ElectionError(
                code,
                "the \(what) \(quoted(text)) holds the control character U+\(String(scalar.value, radix: 16)); remove it"
            )
        }
    }

    static func quoted(_ text: String) -> String {
        let safe = text.unicodeScalars.prefix(60).map { $0.value < 0x20 || $0.value == 0x7F ? "?" : String($0) }
        return "\"" + safe.joined() + (text.unicodeScalars.count > 60 ? "…" : "") + "\""
    }
}
