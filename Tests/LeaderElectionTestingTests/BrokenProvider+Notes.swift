// SPDX-License-Identifier: MIT

import LeaderElection
import Synchronization

extension BrokenProvider: NoteKeepingProvider {
    func write(_ requests: [NoteRequest]) async throws -> [NoteAnswer] {
        try meetCancellation()
        for request in requests where defect == .notesAreCheckedOneByOne {
            try request.validate()
            _ = store.write(request)
        }
        if defect != .notesAreNotChecked { try requests.forEach { try $0.validate() } }
        return spoil(requests.map(write))
    }

    func remove(_ requests: [NoteRemoval]) async throws -> [NoteAnswer] {
        try meetCancellation()
        if defect != .notesAreNotChecked { try requests.forEach { try $0.validate() } }
        return spoil(
            try requests.map { original in
                var request = original
                request.group = map(request.group)
                request.key = map(request.key)
                let present = store.notes(of: request.group)
                if defect == .noteRemovalNeedsANote, !present.contains(where: { $0.key == request.key }) {
                    throw Refused()
                }
                if defect == .noteRemovalTakesAll {
                    for note in present { _ = store.remove(removal(request.group, note.key)) }
                }
                return store.remove(request)
            }
        )
    }

    func notes(of groups: [ElectionGroup]) async throws -> [NotesAnswer] {
        try meetCancellation()
        return spoil(
            groups.map { group in
                let record = store.records[map(group)]
                if defect == .notesEndWithTheLease, let record, record.lease == nil { return .found([]) }
                let instant = defect == .notesExpireEarly ? shared.clock.now.advanced(by: .seconds(5)) : nil
                let notes = store.notes(of: map(group), at: defect == .notesNeverExpire ? .distantPast : instant)
                switch defect {
                case .notesAreOutOfOrder: return .found(notes.reversed())
                case .notesOfOtherProvidersAreHidden:
                    let writers = shared.memory.withLock { $0.writers }
                    return .found(notes.filter { writers[$0.key] == ObjectIdentifier(self) })
                default: return .found(notes)
                }
            }
        )
    }

    private func write(_ original: NoteRequest) -> NoteAnswer {
        var request = original
        request.group = map(request.group)
        request.key = map(request.key)
        shared.memory.withLock { $0.writers[request.key] = ObjectIdentifier(self) }
        let present = store.notes(of: request.group).first { $0.key == request.key }
        switch defect {
        case .notesAreNotReplaced where present != nil: return .done
        case .notesAreTrimmed: request.text = String(request.text.drop { $0.isWhitespace })
        case .notesAreCutShort: request.text = String(request.text.prefix(4_096))
        case .notesAreNotRefreshed where present != nil && !request.isNews: return .done
        case .notesRenewTheLease: prolong(request.group)
        case .noteHintsAreAlwaysSent: request.isNews = true
        default: break
        }
        return store.write(request)
    }

    private func removal(_ group: ElectionGroup, _ key: String) -> NoteRemoval {
        NoteRemoval(group: group, key: key, timeout: .zero)
    }

    private func map(_ key: String) -> String { defect == .notesIgnoreCaseOfKeys ? key.lowercased() : key }
}
