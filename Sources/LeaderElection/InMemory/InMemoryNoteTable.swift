// SPDX-License-Identifier: MIT

/// The notes of a store as plain values: what every other ``NoteKeepingProvider`` can be compared with.
struct InMemoryNoteTable: Sendable {
    private struct Entry {
        var text: String
        var deadline: ElectionInstant
    }

    private static let sweepInterval = Duration.seconds(10)

    private var groups: [ElectionGroup: [String: Entry]] = [:]
    private var nextSweep = ElectionInstant.distantPast

    mutating func write(_ request: NoteRequest, at now: ElectionInstant) {
        sweep(at: now)
        groups[request.group, default: [:]][request.key] = Entry(text: request.text, deadline: now + request.lifetime)
    }

    mutating func remove(_ request: NoteRemoval) {
        groups[request.group]?[request.key] = nil
        if groups[request.group]?.isEmpty == true { groups[request.group] = nil }
    }

    func notes(of group: ElectionGroup, at now: ElectionInstant) -> [GroupNote] {
        (groups[group] ?? [:]).filter { now < $0.value.deadline }
            .map { GroupNote(key: $0.key, text: $0.value.text) }
            .sorted { $0.key < $1.key }
    }

    /// How many notes take up memory, those included whose time is up.
    var count: Int { groups.values.reduce(0) { $0 + $1.count } }

    mutating func removeAll() { groups = [:] }

    /// Forgets what has expired, in any group: nobody may ever ask for a group again.
    private mutating func sweep(at now: ElectionInstant) {
        guard now >= nextSweep else { return }
        nextSweep = now + Self.sweepInterval
        groups = groups.compactMapValues { notes in
            let standing = notes.filter { now < $0.value.deadline }
            return standing.isEmpty ? nil : standing
        }
    }
}
