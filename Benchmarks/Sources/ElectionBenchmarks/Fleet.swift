// SPDX-License-Identifier: MIT

internal import Foundation
internal import LeaderElection
internal import Synchronization

/// Worker processes that compete for one group, and what they say in one stream.
final class Fleet {
    struct Word {
        let worker: Int
        let kind: Substring
        let instant: Int64
    }

    private let store: String
    private let path: String
    private let groups: Int
    private let lease: Int
    private let isListed: Bool
    private let prefix = "bench-\(UInt32.random(in: 0 ... .max))-"
    private let words: AsyncStream<Word>
    private let said: AsyncStream<Word>.Continuation
    private let heard = Heard.All([:])
    private(set) var children: [Int: ChildProcess] = [:]
    private var lastWorker = 0

    /// - Parameters:
    ///   - store: `file`, `sqlite`, or the name of a server.
    ///   - path: where the store is: a file, a directory, or a URL.
    ///   - isListed: whether the candidates leave notes about themselves.
    init(store: String, path: String, groups: Int = 1, lease: Int = 10, isListed: Bool = true) {
        self.store = store
        self.path = path
        self.groups = groups
        self.lease = lease
        self.isListed = isListed
        (words, said) = AsyncStream.makeStream(of: Word.self)
    }

    deinit { end() }

    /// Starts one more process with so many candidates, or with one for each of many groups.
    @discardableResult
    func start(candidates: Int = 1) throws -> Int {
        lastWorker += 1
        let worker = lastWorker
        let child = try ChildProcess(arguments: [
            "worker", store, path, "\(groups)", "\(candidates)", "\(lease)", prefix, isListed ? "listed" : "unlisted",
        ]) {
            [said, heard] line in
            let parts = line.split(separator: " ")
            guard let kind = parts.first else { return }
            let word = Word(worker: worker, kind: kind, instant: parts.count > 1 ? Int64(parts[1]) ?? 0 : 0)
            if kind == "renewed" || kind == "lost" { heard.withLock { $0[worker, default: Heard()].add(word) } }
            said.yield(word)
        }
        children[worker] = child
        return worker
    }

    /// The next thing that a worker says and that is wanted.
    func next(_ isWanted: (Word) -> Bool) async throws -> Word {
        for await word in words where isWanted(word) { return word }
        throw Usage(description: "the workers ended")
    }

    /// Until when a worker's leadership is valid by its last renewal; nil before the first.
    func validUntil(_ worker: Int) -> Int64? { heard.withLock { $0[worker]?.validUntil } }

    /// How many terms a worker has lost.
    func losses(_ worker: Int) -> Int { heard.withLock { $0[worker]?.losses ?? 0 } }

    func kill(_ worker: Int) {
        children.removeValue(forKey: worker)?.signal(SIGKILL)
    }

    func end() {
        for child in children.values { child.signal(SIGKILL) }
        children = [:]
    }
}

/// What a worker has said last, for those who do not read along.
private struct Heard: Sendable {
    final class All: Sendable {
        private let state: Mutex<[Int: Heard]>
        init(_ workers: [Int: Heard]) { state = Mutex(workers) }
        func withLock<Result: Sendable>(_ body: (inout [Int: Heard]) -> Result) -> Result {
            state.withLock { body(&$0) }
        }
    }

    var validUntil: Int64?
    var losses = 0

    mutating func add(_ word: Fleet.Word) {
        if word.kind == "lost" { losses += 1 } else { validUntil = word.instant }
    }
}
