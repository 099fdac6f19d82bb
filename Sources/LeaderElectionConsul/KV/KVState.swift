// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection

/// Who holds the lease of a group, as its entry tells.
enum KVState: Hashable, Sendable {
    /// Nobody.
    case free
    /// A session.
    case locked(session: String, record: StoredRecord?)
    /// A candidate without a session, which others watch.
    case observed(StoredRecord)

    init(_ entry: KVEntry?) {
        guard let entry else {
            self = .free
            return
        }
        let record = StoredRecord(entry.value)
        if let session = entry.session {
            self = .locked(session: session, record: record.flatMap { $0.isObserverTimed ? nil : $0 })
        } else if let record, record.isObserverTimed {
            self = .observed(record)
        } else {
            // Consul takes the session away and leaves the value.
            self = .free
        }
    }

    var record: StoredRecord? {
        switch self {
        case .free: nil
        case .locked(_, let record): record
        case .observed(let record): record
        }
    }

    /// The record to show to others; nil if nobody holds the lease.
    static func lease(_ entry: KVEntry) -> LeaseRecord? {
        switch KVState(entry) {
        case .free: nil
        case .observed(let record), .locked(_, let record?): record.lease(at: entry)
        case .locked(let session, nil): foreign(session, at: entry)
        }
    }

    /// Other programs write what they like, or nothing.
    private static func foreign(_ session: String, at entry: KVEntry) -> LeaseRecord {
        let text = String(validating: entry.value.prefix(200), as: UTF8.self) ?? ""
        let isName = !text.isEmpty && !text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }
        let digits = session.filter(\.isHexDigit)
        return LeaseRecord(
            term: entry.term,
            holder: Candidate(
                id: isName ? text : "session \(session)",
                incarnation: Nonce(digits.prefix(32)) ?? Nonce(high: 0, low: entry.modifyIndex)
            ),
            // How long a session of another program lasts is its own affair: this is what Consul's programs ask for.
            leaseDuration: .seconds(15)
        )
    }
}
#endif
