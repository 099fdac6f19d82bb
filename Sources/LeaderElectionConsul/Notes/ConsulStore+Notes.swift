// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import NIOCore
internal import Synchronization

extension ConsulStore {
    /// How much a transaction may hold of texts; Consul takes half a MiB with all that is around them.
    private static var largestTransaction: Int { 360_000 }
    /// How long what has expired is left alone: whoever sees it may have a clock that is ahead of all others.
    private static var grace: UInt64 { 60_000 }

    func write(_ requests: [NoteRequest], until deadline: ElectionInstant) async -> [NoteAnswer] {
        news.want()
        sweepSometimes()
        let now = Self.wallMilliseconds
        return await settle(
            requests.map { request in
                let lifetime = UInt64(clamping: request.lifetime.wholeNanoseconds / 1_000_000)
                let (place, other) = request.isNews ? (names.news, names.notes) : (names.notes, names.news)
                var operations: [KVOperation] = [
                    .delete(names.notes(of: request.group, below: other) + request.key),
                    .set(
                        names.notes(of: request.group, below: place) + request.key,
                        flags: now + max(1, lifetime),
                        value: Array(request.text.utf8)
                    ),
                ]
                let isCounted = crowds.waits(in: request.group, request.key)
                if isCounted { operations.append(.read(names.notes(of: request.group, below: names.notes))) }
                return NoteChange(
                    key: names.notes(of: request.group, below: names.notes) + request.key,
                    operations: operations,
                    size: request.text.utf8.count,
                    counted: isCounted ? request.group : nil
                )
            },
            until: deadline
        )
    }

    func remove(_ requests: [NoteRemoval], until deadline: ElectionInstant) async -> [NoteAnswer] {
        return await settle(
            requests.map { request in
                var keys = [names.notes, names.news].map { names.notes(of: request.group, below: $0) + request.key }
                // Nobody of this process waits there any more, and another is to watch.
                if crowds.left(request.group, request.key), let post = lookouts.ownKey(request.group) {
                    keys.append(post)
                }
                return NoteChange(key: keys[0], operations: keys.map { .delete($0) }, size: 0, counted: nil)
            },
            until: deadline
        )
    }

    func notes(of groups: [ElectionGroup], until deadline: ElectionInstant) async -> [NotesAnswer] {
        news.want()
        let size = ConsulHTTP.operationsPerTransaction / 2
        let chunks = stride(from: 0, to: groups.count, by: size).map { groups[$0..<min($0 + size, groups.count)] }
        let results = await transact(
            chunks.map { chunk in
                chunk.flatMap { group in
                    [names.notes, names.news].map { KVOperation.read(names.notes(of: group, below: $0)) }
                }
            },
            until: deadline,
            isReading: true
        )
        var answers: [NotesAnswer] = []
        answers.reserveCapacity(groups.count)
        for (chunk, result) in zip(chunks, results) {
            switch result {
            case .failure(let error): answers += chunk.map { _ in .unknown(error) }
            case .success(let result):
                if let failure = result.failures.first {
                    let error = refusal(failure.text)
                    answers += chunk.map { _ in .unknown(error) }
                } else {
                    answers += found(result.entries, of: chunk)
                }
            }
        }
        return answers
    }

    private func found(_ entries: [KVEntry], of groups: some Sequence<ElectionGroup>) -> [NotesAnswer] {
        let now = Self.wallMilliseconds
        var notes: [Substring: [String: GroupNote]] = [:]
        var outdated: [KVOperation] = []
        for entry in entries {
            guard let slash = entry.key.utf8.lastIndex(of: UInt8(ascii: "/")) else { continue }
            guard entry.flags > now else {
                if let deletion = Self.deletion(of: entry, at: now) { outdated.append(deletion) }
                continue
            }
            let key = String(entry.key[entry.key.utf8.index(after: slash)...])
            guard let text = String(validating: entry.value, as: UTF8.self) else { continue }
            notes[entry.key[...slash], default: [:]][key] = GroupNote(key: key, text: text)
        }
        clear(outdated)
        return groups.map { group in
            let all = [names.notes, names.news].map { names.notes(of: group, below: $0) }
                .reduce(into: [:]) { $0.merge(notes[$1[...]] ?? [:]) { $1 } }
            crowds.counted(group, all.count)
            return .found(all.values.sorted { $0.key < $1.key })
        }
    }

    // MARK: - What has expired

    private static func deletion(of entry: KVEntry, at now: UInt64) -> KVOperation? {
        // Keys that name no time are not notes.
        guard entry.flags > 0, entry.flags < now, now - entry.flags > grace else { return nil }
        return .compareAndDelete(entry.key, entry.modifyIndex)
    }

    /// Nobody waits for it, and nobody has to be told if it fails: the next reader sees the same.
    private func clear(_ deletions: [KVOperation]) {
        let size = ConsulHTTP.operationsPerTransaction
        for start in stride(from: 0, to: deletions.count, by: size) {
            let body = KVOperation.body(deletions[start..<min(start + size, deletions.count)])
            _ = http.send(.put, "txn?", body: body, within: .seconds(5))
        }
    }

    /// Once an hour, notes of all groups are looked through: those of a group that nobody uses any more, nobody reads.
    private func sweepSometimes() {
        let now = ElectionInstant.now
        let isDue = nextSweep.withLock { due in
            guard due <= now else { return false }
            due = now + .seconds(Int64.random(in: 3000...4200))
            return true
        }
        for root in isDue ? [names.notes, names.news, names.lookouts] : [] {
            http.send(.get, "kv/\(root)?recurse", within: .seconds(30)).reply.whenSuccess { [weak self] reply in
                guard let self, reply.outcome == .done else { return }
                let now = Self.wallMilliseconds
                var old: [KVOperation] = []
                try? KVListing(reply.body).forEach { item in
                    if let deletion = Self.deletion(of: try item.entry(), at: now) { old.append(deletion) }
                }
                clear(old)
            }
        }
    }

    // MARK: - Changes

    private struct NoteChange: Sendable {
        /// The same for all changes of one note.
        let key: String
        let operations: [KVOperation]
        /// Of the text, in bytes.
        let size: Int
        /// The group whose notes the operations read as well.
        let counted: ElectionGroup?
    }

    /// Carries out changes of notes; of those of one note, one after the other, of other calls as well.
    private func settle(_ changes: [NoteChange], until deadline: ElectionInstant) async -> [NoteAnswer] {
        let call = http.loop.makePromise(of: Void.self)
        let keys = Set(changes.lazy.map(\.key))
        let earlier = noteCalls.withLock { calls in
            keys.compactMap { calls.updateValue(call.futureResult, forKey: $0) }
        }
        for call in earlier { try? await call.get() }
        let answers = await carryOut(changes, until: deadline)
        noteCalls.withLock { calls in
            for key in keys where calls[key] === call.futureResult { calls[key] = nil }
        }
        call.succeed()
        return answers
    }

    private func carryOut(_ changes: [NoteChange], until deadline: ElectionInstant) async -> [NoteAnswer] {
        var answers = [NoteAnswer?](repeating: nil, count: changes.count)
        while true {
            var keys: Set<String> = []
            let open = changes.indices.filter { answers[$0] == nil && keys.insert(changes[$0].key).inserted }
            guard !open.isEmpty else { break }
            var chunks: [(changes: [Int], operations: Int, size: Int)] = []
            for change in open {
                // As Base64.
                let size = changes[change].size * 4 / 3 + 1
                let operations = changes[change].operations.count
                let isFull = chunks.last.map { last in
                    last.operations + operations > ConsulHTTP.operationsPerTransaction
                        || last.size + size > Self.largestTransaction
                }
                if isFull ?? true { chunks.append(([], 0, 0)) }
                chunks[chunks.count - 1].changes.append(change)
                chunks[chunks.count - 1].operations += operations
                chunks[chunks.count - 1].size += size
            }
            let transactions = chunks.map { $0.changes.flatMap { changes[$0].operations } }
            for (chunk, result) in zip(chunks, await transact(transactions, until: deadline)) {
                switch result {
                case .failure(let error): for change in chunk.changes { answers[change] = .unknown(error) }
                case .success(let result) where result.failures.isEmpty:
                    for change in chunk.changes { answers[change] = .done }
                    count(chunk.changes.compactMap { changes[$0].counted }, result.entries)
                case .success(let result):
                    let owners = chunk.changes.flatMap { change in changes[change].operations.map { _ in change } }
                    let refused = result.failures.filter { owners.indices.contains($0.operation) }
                    for failure in refused { answers[owners[failure.operation]] = .unknown(refusal(failure.text)) }
                    if refused.isEmpty {
                        for change in chunk.changes { answers[change] = .unknown(refusal(result.failures[0].text)) }
                    }
                }
            }
        }
        return answers.compactMap(\.self)
    }

    /// Takes note of how many wait.
    private func count(_ groups: [ElectionGroup], _ entries: [KVEntry]) {
        guard !groups.isEmpty else { return }
        // What was written and read stands there twice.
        let sizes = Set(entries.lazy.map(\.key)).reduce(into: [:] as [Substring: Int]) { sizes, key in
            if let slash = key.utf8.lastIndex(of: UInt8(ascii: "/")) { sizes[key[...slash], default: 0] += 1 }
        }
        for group in groups { crowds.counted(group, sizes[names.notes(of: group, below: names.notes)[...]] ?? 1) }
        watch.reconsider()
    }

    private func refusal(_ text: String) -> ElectionError {
        guard ConsulFailure.isDenial(text) else {
            return ConsulFailure.operation(text, at: settings.place)
        }
        return ElectionError(
            .storeRefused,
            "Consul at \(settings.place) refuses this token (\(ConsulFailure.shown(text))): candidates are not listed; it needs "
                + "key:write for \(names.notes) and \(names.news) too"
        )
    }

    /// What notes expire by.
    ///
    /// They are for people and for order: a clock that is wrong does no worse than to hide them.
    static var wallMilliseconds: UInt64 {
        UInt64(clamping: SystemClock().wallNanoseconds / 1_000_000)
    }
}
#endif
