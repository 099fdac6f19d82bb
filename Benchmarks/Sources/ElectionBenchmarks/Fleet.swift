// SPDX-License-Identifier: MIT

internal import Foundation
internal import LeaderElection

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
    private let words: AsyncStream<Word>
    private let said: AsyncStream<Word>.Continuation
    private(set) var children: [Int: ChildProcess] = [:]
    private var lastWorker = 0

    /// - Parameters:
    ///   - store: `file` or `sqlite`.
    ///   - path: where the store is.
    init(store: String, path: String, groups: Int = 1, lease: Int = 10) {
        self.store = store
        self.path = path
        self.groups = groups
        self.lease = lease
        (words, said) = AsyncStream.makeStream(of: Word.self)
    }

    deinit { end() }

    /// Starts one more process with so many candidates of each group.
    @discardableResult
    func start(candidates: Int = 1) throws -> Int {
        lastWorker += 1
        let worker = lastWorker
        let child = try ChildProcess(arguments: ["worker", store, path, "\(groups)", "\(candidates)", "\(lease)"]) {
            [said] line in
            let parts = line.split(separator: " ")
            guard let kind = parts.first else { return }
            said.yield(Word(worker: worker, kind: kind, instant: parts.count > 1 ? Int64(parts[1]) ?? 0 : 0))
        }
        children[worker] = child
        return worker
    }

    /// The next thing that a worker says and that is wanted.
    func next(_ isWanted: (Word) -> Bool) async throws -> Word {
        for await word in words where isWanted(word) { return word }
        throw Usage(description: "the workers ended")
    }

    func kill(_ worker: Int) {
        children.removeValue(forKey: worker)?.signal(SIGKILL)
    }

    func end() {
        for child in children.values { child.signal(SIGKILL) }
        children = [:]
    }
}
