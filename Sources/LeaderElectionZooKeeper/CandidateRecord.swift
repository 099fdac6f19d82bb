// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import ElectionStores
internal import LeaderElection

/// What a candidate writes into its node: a JSON object of texts.
enum CandidateRecord {
    private static var metadataPrefix: String { "metadata." }

    static func encode(_ candidate: Candidate, leaseDuration: Duration) -> [UInt8] {
        var fields = [
            "candidate": candidate.id, "incarnation": candidate.incarnation.description,
            "leaseNanoseconds": "\(leaseDuration.wholeNanoseconds)",
        ]
        for (key, value) in candidate.metadata { fields[metadataPrefix + key] = value }
        return Array(MetadataText.encode(fields).utf8)
    }

    /// Whether a candidate of ours wrote it, and not one of another client whose nodes have names like ours.
    static func isOurs(_ data: [UInt8]) -> Bool {
        let fields = String(validating: data, as: UTF8.self).flatMap(MetadataText.decode)
        return fields?["candidate"] != nil && fields?["incarnation"].flatMap { Nonce($0) } != nil
            && fields?["leaseNanoseconds"].flatMap { Int64($0) } != nil
    }

    /// The record of a leader, also of one that another client's recipe made.
    static func decode(_ data: [UInt8], node: Contender, stat: NodeStat, sessionTimeout: Duration) -> LeaseRecord {
        let fields = String(validating: data, as: UTF8.self).flatMap(MetadataText.decode)
        guard let fields, let id = fields["candidate"], let incarnation = fields["incarnation"].flatMap({ Nonce($0) }),
            let lease = fields["leaseNanoseconds"].flatMap({ Int64($0) })
        else { return foreign(data, node: node, stat: stat, sessionTimeout: sessionTimeout) }
        var metadata: [String: String] = [:]
        for (key, value) in fields where key.utf8.starts(with: metadataPrefix.utf8) {
            metadata[String(decoding: key.utf8.dropFirst(metadataPrefix.utf8.count), as: UTF8.self)] = value
        }
        return LeaseRecord(
            term: stat.czxid,
            holder: Candidate(id: id, incarnation: incarnation, metadata: metadata),
            leaseDuration: .nanoseconds(lease)
        )
    }

    /// Other recipes write a name, or nothing.
    private static func foreign(
        _ data: [UInt8],
        node: Contender,
        stat: NodeStat,
        sessionTimeout: Duration
    ) -> LeaseRecord {
        let text = String(validating: data.prefix(200), as: UTF8.self) ?? ""
        let isName = !text.isEmpty && !text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }
        return LeaseRecord(
            term: stat.czxid,
            holder: Candidate(
                id: isName ? text : node.name,
                incarnation: Nonce(
                    high: UInt64(bitPattern: stat.ephemeralOwner),
                    low: UInt64(bitPattern: stat.czxid)
                )
            ),
            leaseDuration: sessionTimeout
        )
    }
}
#endif
