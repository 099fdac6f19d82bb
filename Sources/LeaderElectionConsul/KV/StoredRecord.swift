// SPDX-License-Identifier: MIT
#if Consul
internal import ElectionStores
internal import LeaderElection

/// What a leader writes into its key: a JSON object of texts.
struct StoredRecord: Hashable, Sendable {
    private static var metadataPrefix: String { "metadata." }

    var candidate: Candidate
    var nonce: Nonce
    var leaseDuration: Duration
    /// How long Consul keeps the key locked after a session has ended; nil where candidates time the lease.
    var lockDelay: Duration?
    /// The number of renewals; only where candidates time the lease, in which case each of them is a write.
    var sequence: Int64 = 0
    /// Told from the first renewal on, or if the lease was handed over: without it, the entry's own index is the term.
    var term: Int64?
    /// Whether the leader before wrote it for an heir, who has not asked yet.
    var isHandover = false

    /// Whether candidates time the lease.
    var isObserverTimed: Bool { lockDelay == nil }

    init(
        candidate: Candidate,
        nonce: Nonce,
        leaseDuration: Duration,
        lockDelay: Duration?,
        sequence: Int64 = 0,
        term: Int64? = nil,
        isHandover: Bool = false
    ) {
        self.candidate = candidate
        self.nonce = nonce
        self.leaseDuration = leaseDuration
        self.lockDelay = lockDelay
        self.sequence = sequence
        self.term = term
        self.isHandover = isHandover
    }

    /// Nil for what is no record of ours: free, or another program's.
    init?(_ value: [UInt8]) {
        guard value.first == UInt8(ascii: "{"), let text = String(validating: value, as: UTF8.self),
            let fields = MetadataText.decode(text), let id = fields["candidate"],
            let incarnation = fields["incarnation"].flatMap({ Nonce($0) }),
            let nonce = fields["nonce"].flatMap({ Nonce($0) }),
            let lease = fields["leaseNanoseconds"].flatMap({ Int64($0) }), lease > 0
        else { return nil }
        var metadata: [String: String] = [:]
        for (key, value) in fields where key.utf8.starts(with: Self.metadataPrefix.utf8) {
            metadata[String(decoding: key.utf8.dropFirst(Self.metadataPrefix.utf8.count), as: UTF8.self)] = value
        }
        self.init(
            candidate: Candidate(id: id, incarnation: incarnation, metadata: metadata),
            nonce: nonce,
            leaseDuration: .nanoseconds(lease),
            lockDelay: fields["lockDelayNanoseconds"].flatMap { Int64($0) }.map { .nanoseconds($0) },
            sequence: fields["sequence"].flatMap { Int64($0) }.map { min($0, 1 << 53) } ?? 0,
            term: fields["term"].flatMap { Int64($0) },
            isHandover: fields["handover"] == "true"
        )
    }

    var encoded: [UInt8] {
        var fields = [
            "candidate": candidate.id, "incarnation": candidate.incarnation.description, "nonce": nonce.description,
            "leaseNanoseconds": "\(leaseDuration.wholeNanoseconds)",
        ]
        if let lockDelay { fields["lockDelayNanoseconds"] = "\(lockDelay.wholeNanoseconds)" }
        if sequence != 0 { fields["sequence"] = "\(sequence)" }
        if let term { fields["term"] = "\(term)" }
        if isHandover { fields["handover"] = "true" }
        for (key, value) in candidate.metadata { fields[Self.metadataPrefix + key] = value }
        return Array(MetadataText.encode(fields).utf8)
    }

    func lease(at entry: KVEntry) -> LeaseRecord {
        LeaseRecord(
            term: term ?? entry.term,
            holder: candidate,
            leaseDuration: leaseDuration,
            sequence: sequence,
            isObserverTimed: isObserverTimed
        )
    }

    // MARK: - After a release

    /// What remains in a key that nobody holds.
    static func released(lastTerm: Int64) -> [UInt8] {
        Array(MetadataText.encode(["lastTerm": "\(lastTerm)"]).utf8)
    }

    static func lastTerm(_ value: [UInt8]) -> Int64? {
        guard value.first == UInt8(ascii: "{"), value.count < 64, let text = String(validating: value, as: UTF8.self)
        else { return nil }
        return MetadataText.decode(text)?["lastTerm"].flatMap { Int64($0) }
    }
}
#endif
