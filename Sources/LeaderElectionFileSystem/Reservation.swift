// SPDX-License-Identifier: MIT

internal import LeaderElection

/// For whom a holder has put the group aside before it unlocked it: a file of its own beside the state file.
///
/// It can only keep others from taking the lease for a moment, and never grants one: that takes the lock and a new term,
/// as ever. So nothing depends on it but who is next. Programs that know nothing of it, and whoever cannot read it,
/// compete for the lock as they always did.
struct Reservation: Hashable, Sendable {
    /// The nonce with which the heir asks.
    var heir: Nonce
    /// The term that was given back for it; as soon as the state file has another one, the reservation is void.
    var term: Int64
    /// Within which `deadline` can be compared with the boot clock.
    var domain: String
    var deadline: ElectionInstant

    /// How long an heir is waited for: the kernel's lock, which would tell that it died, is nobody's meanwhile.
    static let longest: Duration = .seconds(2)
    /// Larger files are refused unread.
    static let maximumLength = 512
    private static let header = "leader-election heir 1"

    /// How long others must keep off the lease of this term; nil if they need not.
    func remaining(afterTerm term: Int64?, at now: ElectionInstant, in domain: String) -> Duration? {
        guard term == self.term, domain == self.domain, now < deadline else { return nil }
        let remaining = deadline - now
        // Nobody reserves for longer: that clock is not ours, whatever the domain says.
        return remaining <= Self.longest ? remaining : nil
    }

    var bytes: [UInt8] {
        let lines = [
            Self.header, "heir \(heir)", "after \(term)", "domain \(domain)", "deadline-ns \(deadline.nanoseconds)", "",
        ]
        return Array(lines.joined(separator: "\n").utf8)
    }

    /// Reads what ``bytes`` writes; nil for anything else, such as what a power cut has left.
    init?(parsing bytes: [UInt8]) {
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        func value(_ index: Int, _ key: String) -> Substring? {
            lines[index].hasPrefix(key) ? lines[index].dropFirst(key.count) : nil
        }
        guard lines.count == 6, let heir = value(1, "heir ").flatMap({ Nonce($0) }),
            let term = value(2, "after ").flatMap({ Int64($0) }), let domain = value(3, "domain "),
            let deadline = value(4, "deadline-ns ").flatMap({ Int64($0) })
        else { return nil }
        self.init(
            heir: heir,
            term: term,
            domain: String(domain),
            deadline: ElectionInstant(nanoseconds: deadline)
        )
        guard self.bytes == bytes else { return nil }
    }

    init(heir: Nonce, term: Int64, domain: String, deadline: ElectionInstant) {
        (self.heir, self.term, self.domain, self.deadline) = (heir, term, domain, deadline)
    }
}
