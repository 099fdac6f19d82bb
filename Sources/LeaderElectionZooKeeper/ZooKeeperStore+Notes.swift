// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import ElectionStores
internal import LeaderElection

/// Notes: ephemeral nodes in a tree of their own, where no recipe looks for candidates.
extension ZooKeeperStore {
    private var maximumAttempts: Int { 4 }
    /// What is remembered of other notes is dropped when it is of more groups than one session can take part in.
    private var maximumReadings: Int { 20_000 }

    func write(_ requests: [NoteRequest]) async -> [NoteAnswer] {
        await answering(requests, timeout: { $0.timeout }, unknown: { .unknown($0) }) { batch in
            for (index, request) in requests.enumerated() {
                self.wantNews(request.group)
                self.keep(request) { batch.settle(index, $0) }
            }
        }
    }

    func remove(_ requests: [NoteRemoval]) async -> [NoteAnswer] {
        await answering(requests, timeout: { $0.timeout }, unknown: { .unknown($0) }) { batch in
            for (index, request) in requests.enumerated() {
                self.forgetNote(request.group, request.key)
                self.sendUnhurried(.delete(self.path(request.group, note: request.key))) { reply in
                    let isGone = [ZooKeeperCode.ok, ZooKeeperCode.noNode].contains(reply.code)
                    batch.settle(index, isGone ? .done : .unknown(self.failure(reply, request.group)))
                }
            }
        }
    }

    func notes(of groups: [ElectionGroup]) async -> [NotesAnswer] {
        await answering(groups, isReading: true, timeout: { _ in .seconds(2) }, unknown: { .unknown($0) }) { batch in
            for group in groups { self.wantNews(group) }
            self.findNoted(groups) { noted in
                for (index, group) in groups.enumerated() {
                    // What has no node holds no notes.
                    guard noted?.contains(group) ?? true else {
                        batch.settle(index, .found([]))
                        continue
                    }
                    self.readNotes(group) { batch.settle(index, $0) }
                }
            }
        }
    }

    private var root: String { "\(settings.root)/\(GroupPath.notes)" }
    private func path(notesOf group: ElectionGroup) -> String { "\(root)/\(GroupPath.encode(group))" }
    private func path(_ group: ElectionGroup, note key: String) -> String { "\(path(notesOf: group))/\(key)" }

    private func failure(_ reply: ZooKeeperReply, _ group: ElectionGroup) -> ElectionError {
        settings.failure(reply.code, "listing candidates", group: group)
    }

    // MARK: - Writing

    private func keep(_ request: NoteRequest, _ done: @escaping (NoteAnswer) -> Void) {
        let (group, key) = (request.group, request.key)
        let deadline = ElectionInstant.now + request.lifetime
        if !request.isNews, let own = ownNotes[group]?[key], own.isWritten,
            own.text.utf8.elementsEqual(request.text.utf8)
        {
            ownNotes[group]?[key]?.deadline = deadline
            endNotesSoon(deadline)
            // What is there already costs no write; whether it is, one server can tell.
            return sendUnhurried(.get(path(group, note: key), watch: nil)) { reply in
                guard !self.isOurs(reply, request.text) else { return done(.done) }
                guard [ZooKeeperCode.ok, ZooKeeperCode.noNode].contains(reply.code) else {
                    return done(.unknown(self.failure(reply, group)))
                }
                self.put(group, key, isNews: false, done)
            }
        }
        let wasWritten = ownNotes[group]?[key]?.isWritten ?? false
        ownNotes[group, default: [:]][key] = OwnNote(text: request.text, deadline: deadline, isWritten: wasWritten)
        endNotesSoon(deadline)
        put(group, key, isNews: request.isNews, done)
    }

    private func isOurs(_ reply: ZooKeeperReply, _ text: String) -> Bool {
        reply.code == ZooKeeperCode.ok && reply.stat?.ephemeralOwner == session?.id
            && (reply.data ?? []).elementsEqual(text.utf8)
    }

    /// Makes the note's node, in the place of one that is there: it must be this session's, and new to whoever reads.
    private func put(
        _ group: ElectionGroup,
        _ key: String,
        isNews: Bool,
        attempt: Int = 0,
        _ done: @escaping (NoteAnswer) -> Void
    ) {
        // Removed in the meantime, by a call that came after this one.
        guard let own = ownNotes[group]?[key] else { return done(.done) }
        guard attempt < maximumAttempts else { return done(.unknown(settings.slow)) }
        func again() { put(group, key, isNews: isNews, attempt: attempt + 1, done) }
        let path = path(group, note: key)
        let data = Array(own.text.utf8)
        let replace = ZooKeeperOperation.all([.delete(path), .create(path, data, .ephemeral)])
        sendUnhurried(own.isWritten ? replace : .create(path, data, .ephemeral)) { reply in
            switch reply.code {
            case ZooKeeperCode.ok:
                self.ownNotes[group]?[key]?.isWritten = true
                if isNews { self.spread(group) }
                done(.done)
            case ZooKeeperCode.nodeExists:
                self.ownNotes[group]?[key]?.isWritten = true
                again()
            case ZooKeeperCode.noNode:
                self.ownNotes[group]?[key]?.isWritten = false
                guard !own.isWritten else { return again() }
                self.makeParents(group) { reply in
                    guard ![ZooKeeperCode.ok, ZooKeeperCode.nodeExists].contains(reply.code) else { return again() }
                    if !ZooKeeperCode.isUnsure(reply.code) { self.forgetNote(group, key) }
                    done(.unknown(self.failure(reply, group)))
                }
            default:
                // After a lost connection it is written again.
                self.ownNotes[group]?[key]?.isWritten = false
                if !ZooKeeperCode.isUnsure(reply.code) { self.forgetNote(group, key) }
                done(.unknown(self.failure(reply, group)))
            }
        }
    }

    private func makeParents(_ group: ElectionGroup, _ then: @escaping (ZooKeeperReply) -> Void) {
        var ofRoot = ZooKeeperReply(ZooKeeperCode.ok)
        sendUnhurried(.create(root, [], .persistent)) { ofRoot = $0 }
        // The servers delete it some time after the last note.
        sendUnhurried(.create(path(notesOf: group), [], .container)) {
            then($0.code == ZooKeeperCode.noNode ? ofRoot : $0)
        }
    }

    // MARK: - Reading

    /// Calls back with the groups that have a node for notes, or with nil where that is not worth a list of them all.
    ///
    /// Most groups have no notes at most times, and a process that leads thousands looks after all of them.
    private func findNoted(_ wanted: [ElectionGroup], _ then: @escaping (NotedGroups?) -> Void) {
        guard wanted.count >= 16 else { return then(nil) }
        sendUnhurried(.get(root, watch: nil)) { reply in
            guard reply.code == ZooKeeperCode.ok, let stat = reply.stat else {
                return then(reply.code == ZooKeeperCode.noNode ? NotedGroups() : nil)
            }
            if let known = self.notedGroups, known.version == stat.pzxid { return then(known) }
            guard stat.childCount <= min(wanted.count * 16, self.maximumReadings) else { return then(nil) }
            self.sendUnhurried(.children(self.root, watch: nil)) { reply in
                guard reply.code == ZooKeeperCode.ok, let stat = reply.stat else { return then(nil) }
                let noted = NotedGroups(version: stat.pzxid, reply.children ?? [])
                self.notedGroups = noted
                then(noted)
            }
        }
    }

    private func readNotes(_ group: ElectionGroup, _ answer: @escaping (NotesAnswer) -> Void) {
        sendUnhurried(.children(path(notesOf: group), watch: nil)) { reply in
            switch reply.code {
            case ZooKeeperCode.noNode: return answer(.found([]))
            case ZooKeeperCode.ok: break
            default: return answer(.unknown(self.failure(reply, group)))
            }
            let version = reply.stat?.pzxid ?? 0
            if let known = self.noteReadings[group], known.version == version { return answer(.found(known.notes)) }
            let keys = reply.children ?? []
            guard !keys.isEmpty else { return answer(.found([])) }
            let batch = AnswerBatch<Result<GroupNote?, ElectionError>>(keys.count) { results in
                do throws(ElectionError) {
                    var notes: [GroupNote] = []
                    for result in results { if let note = try result.get() { notes.append(note) } }
                    notes.sort { $0.key < $1.key }
                    if self.noteReadings.count >= self.maximumReadings { self.noteReadings = [:] }
                    self.noteReadings[group] = NoteReading(version: version, notes: notes)
                    answer(.found(notes))
                } catch {
                    answer(.unknown(error))
                }
            }
            for (index, key) in keys.enumerated() {
                self.sendUnhurried(.get(self.path(group, note: key), watch: nil)) { reply in
                    switch reply.code {
                    case ZooKeeperCode.ok:
                        let text = String(validating: reply.data ?? [], as: UTF8.self)
                        batch.settle(index, .success(text.map { GroupNote(key: key, text: $0) }))
                    case ZooKeeperCode.noNode: batch.settle(index, .success(nil))
                    default: batch.settle(index, .failure(self.failure(reply, group)))
                    }
                }
            }
        }
    }

    // MARK: - The end of notes

    private func forgetNote(_ group: ElectionGroup, _ key: String) {
        ownNotes[group]?[key] = nil
        if ownNotes[group]?.isEmpty == true { ownNotes[group] = nil }
    }

    private func endNotesSoon(_ deadline: ElectionInstant) {
        guard deadline < nextNoteExpiry else { return }
        nextNoteExpiry = deadline
        noteTimer?.cancel()
        noteTimer = thread.schedule(at: max(deadline, .now + .milliseconds(20))) { [weak self] in
            self?.assumeIsolated { $0.endNotes() }
        }
    }

    /// Deletes those that were not repeated in time.
    ///
    /// This looks at all of them, and so not before the first is due.
    private func endNotes() {
        let now = ElectionInstant.now
        nextNoteExpiry = .distantFuture
        var next = ElectionInstant.distantFuture
        for (group, notes) in ownNotes {
            for (key, note) in notes {
                if note.deadline > now { next = min(next, note.deadline) } else { end(group, key, note) }
            }
        }
        if next < .distantFuture { endNotesSoon(next) }
    }

    private func end(_ group: ElectionGroup, _ key: String, _ note: OwnNote) {
        // Without a session there is no node.
        guard session != nil else { return forgetNote(group, key) }
        let path = path(group, note: key)
        sendUnhurried(.get(path, watch: nil)) { reply in
            // It may have been written anew since.
            guard self.ownNotes[group]?[key] == note else { return }
            guard !ZooKeeperCode.isUnsure(reply.code) else { return self.endNotesSoon(.now + .seconds(1)) }
            // Somebody else's is not ours to delete.
            guard self.isOurs(reply, note.text) else { return self.forgetNote(group, key) }
            self.sendUnhurried(.delete(path)) { reply in
                guard self.ownNotes[group]?[key] == note else { return }
                guard ZooKeeperCode.isUnsure(reply.code) else { return self.forgetNote(group, key) }
                self.endNotesSoon(.now + .seconds(1))
            }
        }
    }

    // MARK: - Sessions

    /// A connection was made, perhaps in a new session, which has nothing of the one before.
    func resumeNotes() {
        for slot in subscribers.isEmpty ? [] : news.wanted { watchNews(slot) }
        let now = ElectionInstant.now
        for (group, notes) in ownNotes {
            for (key, note) in notes where !note.isWritten && note.deadline > now {
                put(group, key, isNews: false) { _ in }
            }
        }
    }

    /// The session has ended, and all nodes of it.
    func loseNotes() {
        for (group, notes) in ownNotes {
            for key in notes.keys { ownNotes[group]?[key]?.isWritten = false }
        }
        noteReadings = [:]
        notedGroups = nil
    }
}
#endif
