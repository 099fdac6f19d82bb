// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection

extension LeaseReply {
    /// What came of one note that was written or removed.
    mutating func noteAnswer(for group: ElectionGroup, at address: String) throws -> NoteAnswer {
        if let refusal = try noteRefusal(group, address) { return .unknown(refusal) }
        return .done
    }

    /// The notes of one group, in the order of their keys.
    mutating func notes(of group: ElectionGroup, at address: String) throws -> NotesAnswer {
        if let refusal = try noteRefusal(group, address) { return .unknown(refusal) }
        let count = try integer()
        guard count >= 0 else { throw Self.malformed }
        var notes: [GroupNote] = []
        for _ in 0..<count { notes.append(GroupNote(key: try text(), text: try text())) }
        return .found(notes.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) })
    }

    private mutating func noteRefusal(_ group: ElectionGroup, _ address: String) throws -> ElectionError? {
        switch try integer() {
        case 1: return nil
        case 3: return Self.refusalOfNotes(try text(), group, address)
        default: throw Self.malformed
        }
    }

    static func refusalOfNotes(_ message: String, _ group: ElectionGroup, _ address: String) -> ElectionError {
        let error = RedisServerError(line: message)
        if error.prefix == "WRONGTYPE" {
            return ElectionError(
                .storeCorrupted,
                "the key of the group's notes holds what no election writes; delete it, or use another prefix",
                group: group.name
            )
        }
        // Servers have called this by several names.
        if error.prefix == "NOPERM" || ["permission", "can't run this command"].contains(where: message.contains) {
            return ElectionError(
                .storeRefused,
                "the user at Redis \(address) may not keep notes; permit +hgetall +pexpire +pttl beside what elections "
                    + "need, which go on without (\(message.prefix(300)))",
                group: group.name
            )
        }
        let other = error.electionError(address)
        return ElectionError(other.code, other.message, group: group.name, cause: other.cause)
    }
}
#endif
