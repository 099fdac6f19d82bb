// SPDX-License-Identifier: MIT

internal import ElectionFiles
internal import LeaderElection

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

extension FileSystemStore {
    func write(_ requests: [NoteRequest]) throws(ElectionError) -> [NoteAnswer] {
        guard !requests.isEmpty else { return [] }
        try directory.open()
        return requests.map { request in
            answering(request.group) { () throws(StoreFailure) in
                try failing { () throws(FileError) in try write(request) }
                return .done
            } failing: {
                .unknown($0)
            }
        }
    }

    func remove(_ requests: [NoteRemoval]) throws(ElectionError) -> [NoteAnswer] {
        guard try directory.openIfPresent() else { return requests.map { _ in .done } }
        return requests.map { request in
            answering(request.group) { () throws(StoreFailure) in
                try failing { () throws(FileError) in
                    if let folder = try folder(of: request.group) { try removeFile(folder + "/" + request.key) }
                    return .done
                }
            } failing: {
                .unknown($0)
            }
        }
    }

    func notes(of groups: [ElectionGroup]) throws(ElectionError) -> [NotesAnswer] {
        guard try directory.openIfPresent() else { return groups.map { _ in .found([]) } }
        return groups.map { group in
            answering(group) { () throws(StoreFailure) in
                try failing { () throws(FileError) in
                    guard let folder = try folder(of: group) else { return .found([]) }
                    var notes: [GroupNote] = []
                    for key in try (fileNames(in: folder) ?? []).sorted() where !isTemporary(key) {
                        guard let note = try read(folder + "/" + key), stands(note) else { continue }
                        notes.append(GroupNote(key: key, text: note.text))
                    }
                    return .found(notes)
                }
            } failing: {
                .unknown($0)
            }
        }
    }

    /// The folder of a group's notes, and nothing else that stands in its place; nil if there is none.
    private func folder(of group: ElectionGroup) throws(FileError) -> String? {
        let path = directory.notesPath(group)
        guard let identity = try FileIdentity(path: path) else { return nil }
        guard identity.isDirectory else { throw FileError("open", path, code: ENOTDIR) }
        return path
    }

    private func write(_ request: NoteRequest) throws(FileError) {
        try makeDirectory(directory.notesPath(request.group))
        guard let folder = try folder(of: request.group) else {
            throw FileError("open", directory.notesPath(request.group), code: ENOENT)
        }
        let (now, wall) = (directory.clock.now, directory.clock.wallNanoseconds)
        if now >= nextSweeps[request.group] ?? .distantPast {
            nextSweeps[request.group] = now + min(request.lifetime, .seconds(60))
            try removeExpired(folder, wall)
        }
        let note = NoteFile(
            domain: ClockDomain.current,
            deadline: now + request.lifetime,
            wallDeadline: wall + request.lifetime.wholeNanoseconds,
            text: request.text
        )
        try replaceFile(
            named: request.key,
            in: folder,
            with: note.bytes,
            temporaryName: "\(Self.temporaryPrefix)\(wall / 1_000_000_000)-\(writer)",
            isDurable: false
        )
        // Nothing that happens within the folder is seen by those who watch the directory above it; this is.
        if request.isNews { try touchDirectory(folder) }
    }

    /// Removes what nobody will read any more: not at every write, so that many candidates do not read all of each
    /// other's files again and again.
    private func removeExpired(_ folder: String, _ wall: Int64) throws(FileError) {
        for name in try fileNames(in: folder) ?? [] {
            let path = folder + "/" + name
            if isTemporary(name) {
                // What a killed process left; its name says when.
                let second = name.dropFirst(Self.temporaryPrefix.count).prefix { $0 != "-" }
                if abs((Int64(second) ?? 0) - wall / 1_000_000_000) > 60 { try removeFile(path) }
            } else if try read(path).map({ !stands($0) }) ?? true {
                // Should its writer come back in this very moment, its next note is found again.
                try removeFile(path)
            }
        }
    }

    private static var temporaryPrefix: String { ".new-" }

    private func isTemporary(_ name: String) -> Bool { name.hasPrefix(Self.temporaryPrefix) }

    /// Nil for a file that is gone, or that no election writes.
    private func read(_ path: String) throws(FileError) -> NoteFile? {
        do {
            return try readFile(path, atMost: NoteFile.maximumLength).flatMap { NoteFile(parsing: $0) }
        } catch let error where error.isTooLarge {
            return nil
        }
    }

    private func stands(_ note: NoteFile) -> Bool {
        note.stands(at: directory.clock.now, wall: directory.clock.wallNanoseconds, in: ClockDomain.current)
    }
}
