// SPDX-License-Identifier: MIT
#if Redis
internal import ElectionStores
internal import LeaderElection

/// The flat array with which each of ``LeaseScripts`` answers, read from front to back.
struct LeaseReply {
    /// What the script found out about the server's data, if it had to look.
    enum Authority: Int64 {
        case notAsked = 0
        /// The server that granted before.
        case known = 1
        /// Nothing was ever granted under this prefix.
        case fresh = 2
        /// Another server, or the same one after a restart or a promotion.
        case replaced = 3
        /// The data is gone although the server was up.
        case emptied = 4
        /// Nothing is there, and the server was started only recently.
        case restarted = 5
        /// The server does not tell who it is.
        case unidentified = 6
    }

    enum Status {
        case granted(term: Int64)
        case held(LeaseRecord)
        case free(lastTerm: Int64)
        case lost
        case deferred(Duration)
        /// The term that was proposed is not larger than this one.
        case outdated(term: Int64)
        case refused(ElectionError)
    }

    /// The server's clock.
    let serverNanoseconds: Int64
    /// Whether changes could not be published.
    let isPushDenied: Bool
    /// Whether only some of those who wait were told, and the others are to be told by ``LeaseScripts/announce``.
    let isToldToFew: Bool
    let authority: Authority
    /// How long nothing new is granted.
    let hold: Duration
    private let values: [RedisValue]
    private var index = 4

    /// - Throws: an ``ElectionError`` for anything that no script answers.
    init(_ value: RedisValue) throws {
        guard case .array(let values) = value, values.count >= 4, case .integer(let micros) = values[0],
            case .integer(let push) = values[1], case .integer(let seen) = values[2],
            case .integer(let hold) = values[3], let authority = Authority(rawValue: seen),
            micros > 0, micros < .max / 1000, hold >= 0, hold < 1 << 53
        else { throw Self.malformed }
        self.values = values
        serverNanoseconds = micros * 1000
        isPushDenied = push == 1
        isToldToFew = push == 2
        self.authority = authority
        self.hold = .milliseconds(hold)
    }

    static let malformed = ElectionError(
        .storeCorrupted,
        "the server's answer is not one that the election's scripts give; check what answers at its address"
    )

    /// Nothing may be left over.
    func checkEnd() throws {
        guard index == values.count else { throw Self.malformed }
    }

    /// For verbs that succeed with 1 and change nothing with 0.
    ///
    /// - Returns: nil for anything else.
    mutating func flag() -> Bool? {
        guard index < values.count, case .integer(let code) = values[index], code == 0 || code == 1 else { return nil }
        index += 1
        return code == 1
    }

    /// The answer for an acquisition or a reading, or to a renewal that did not succeed.
    mutating func status(of group: ElectionGroup) throws -> Status {
        switch try integer() {
        case 0: return .lost
        case 1: return .granted(term: try term())
        case 2: return try record(group)
        case 3: return .refused(Self.refusal(try text(), group))
        case 4: return .deferred(.milliseconds(try integer()))
        case 5: return .free(lastTerm: try integer())
        case 6: return .outdated(term: try integer())
        default: throw Self.malformed
        }
    }

    private mutating func record(_ group: ElectionGroup) throws -> Status {
        let (term, sequence, lease, remaining) = (try term(), try integer(), try integer(), try integer())
        let (holder, incarnation, metadata) = (try text(), try text(), try text())
        guard sequence >= 0, lease >= 0, lease < 1 << 53, remaining >= -1 else { throw Self.malformed }
        guard let incarnation = Nonce(incarnation), let metadata = MetadataText.decode(metadata) else {
            return .refused(Self.unreadable("it does not say properly who holds it", group))
        }
        return .held(
            LeaseRecord(
                term: term,
                holder: Candidate(id: holder, incarnation: incarnation, metadata: metadata),
                leaseDuration: .milliseconds(lease),
                sequence: sequence,
                remaining: remaining < 0 ? nil : .milliseconds(min(remaining, lease)),
                isObserverTimed: remaining < 0
            )
        )
    }

    private static func refusal(_ message: String, _ group: ElectionGroup) -> ElectionError {
        let error = RedisServerError(line: message)
        return switch error.prefix {
        case "ERR", "WRONGTYPE": unreadable(message, group)
        default: ElectionError(.storeRefused, "the server refuses to read the lease: \(message)", group: group.name)
        }
    }

    private static func unreadable(_ reason: String, _ group: ElectionGroup) -> ElectionError {
        ElectionError(
            .storeCorrupted,
            "the key of the lease holds what no election writes: \(reason); delete it when no candidate runs, or use "
                + "another prefix",
            group: group.name
        )
    }

    mutating func term() throws -> Int64 {
        let term = try integer()
        guard term > 0, term < 1 << 53 else { throw Self.malformed }
        return term
    }

    mutating func integer() throws -> Int64 {
        guard index < values.count, case .integer(let value) = values[index] else { throw Self.malformed }
        index += 1
        return value
    }

    mutating func text() throws -> String {
        guard index < values.count, case .bulk(let bytes) = values[index] else { throw Self.malformed }
        index += 1
        return String(decoding: bytes, as: UTF8.self)
    }
}
#endif
