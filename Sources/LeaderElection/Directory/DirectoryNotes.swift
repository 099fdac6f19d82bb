// SPDX-License-Identifier: MIT

/// The notes of one group as an election uses them: each a JSON object of texts, told apart by the first letter of its key.
struct DirectoryNotes: Sendable {
    /// What an operator asks of whoever leads in a term.
    struct Instruction: Hashable, Sendable {
        enum Kind: String, Sendable {
            case resign
            case transfer
            case evict
        }

        var id: Nonce
        var kind: Kind
        var term: Int64
        /// For ``Kind/transfer``: the name of a candidate, or its incarnation.
        var heir: String
        /// How long the leader then leaves leadership to others.
        var standingDown: Duration
    }

    /// What came of an instruction.
    struct Reply: Hashable, Sendable {
        var id: Nonce
        /// Nil if it was carried out.
        var refusal: String?
    }

    /// A leader's offer of its term to one candidate.
    struct Offer: Hashable, Sendable {
        var id: Nonce
        /// The incarnation of the candidate.
        var heir: Nonce
    }

    private(set) var candidates: [ListedCandidate] = []
    private(set) var instructions: [Instruction] = []
    private(set) var replies: [Reply] = []
    private(set) var offers: [Offer] = []

    /// Reads what it understands: a later version may write notes of other kinds.
    init(_ notes: [GroupNote]) {
        for note in notes {
            guard note.key.utf8.count == 34, let id = Nonce(note.key.dropFirst(2)),
                let values = MetadataText.decode(note.text)
            else { continue }
            switch note.key.prefix(2) {
            case "c-": if let candidate = Self.candidate(values, incarnation: id) { candidates.append(candidate) }
            case "i-": if let instruction = Self.instruction(values, id: id) { instructions.append(instruction) }
            case "r-": replies.append(Reply(id: id, refusal: values["refusal"]))
            case "o-":
                if let offer = values["offer"].flatMap({ Nonce($0) }) { offers.append(Offer(id: offer, heir: id)) }
            default: break
            }
        }
        candidates.sort { ($1.priority, $0.waitingSince, $0.key) < ($0.priority, $1.waitingSince, $1.key) }
    }

    /// Why no candidate of this name can be handed leadership.
    func refusal(of heir: String) -> ElectionError {
        guard !candidates.contains(where: { $0.candidate.isMeant(by: heir) }) else {
            let why = "it is suspended, unhealthy, or stands down"
            return ElectionError(.transferRefused, "\"\(heir)\" takes no leadership now: \(why)")
        }
        let names = candidates.prefix(10).map { "\"\($0.candidate.id)\"" }.joined(separator: ", ")
        let known = candidates.isEmpty ? "nobody else does" : "these do: \(names)"
        return ElectionError(.transferRefused, "no candidate \"\(heir)\" waits for leadership; \(known)")
    }
}

extension ListedCandidate {
    var key: String { Self.key(of: candidate) }

    static func key(of candidate: Candidate) -> String { "c-\(candidate.incarnation)" }

    var text: String {
        var values = [
            "id": candidate.id,
            "metadata": MetadataText.encode(candidate.metadata),
            "nonce": "\(nonce)",
            "priority": "\(priority)",
            "eligible": isEligible ? "true" : "false",
            "since_ms": "\(waitingSince)",
        ]
        values["health"] = health.map { "\($0)" }
        values["ready"] = ready.map { "\($0)" }
        values["unready"] = unready.map { "\($0)" }
        return MetadataText.encode(values)
    }
}

extension DirectoryNotes {
    fileprivate static func candidate(_ values: [String: String], incarnation: Nonce) -> ListedCandidate? {
        guard let id = values["id"], let metadata = values["metadata"].flatMap({ MetadataText.decode($0) }),
            let nonce = values["nonce"].flatMap({ Nonce($0) }),
            let priority = values["priority"].flatMap({ Int($0) }),
            let since = values["since_ms"].flatMap({ Int64($0) })
        else { return nil }
        return ListedCandidate(
            candidate: Candidate(id: id, incarnation: incarnation, metadata: metadata),
            priority: priority,
            isEligible: values["eligible"] == "true",
            health: values["health"].flatMap { Double($0) },
            waitingSince: since,
            nonce: nonce,
            ready: values["ready"].flatMap { Nonce($0) },
            unready: values["unready"].flatMap { Nonce($0) }
        )
    }

    fileprivate static func instruction(_ values: [String: String], id: Nonce) -> Instruction? {
        guard let kind = values["kind"].flatMap({ Instruction.Kind(rawValue: $0) }),
            let term = values["term"].flatMap({ Int64($0) }),
            let milliseconds = values["stand_down_ms"].flatMap({ Int64($0) }), milliseconds >= 0
        else { return nil }
        return Instruction(
            id: id,
            kind: kind,
            term: term,
            heir: values["to"] ?? "",
            standingDown: .milliseconds(milliseconds)
        )
    }
}

extension DirectoryNotes.Instruction {
    var key: String { "i-\(id)" }

    var text: String {
        MetadataText.encode([
            "kind": kind.rawValue,
            "term": "\(term)",
            "to": heir,
            "stand_down_ms": "\(standingDown.wholeNanoseconds / 1_000_000)",
        ])
    }
}

extension DirectoryNotes.Reply {
    var key: String { "r-\(id)" }
    var text: String { MetadataText.encode(refusal.map { ["refusal": $0] } ?? [:]) }
}

extension DirectoryNotes.Offer {
    var key: String { "o-\(heir)" }
    var text: String { MetadataText.encode(["offer": "\(id)"]) }
}
