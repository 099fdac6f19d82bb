// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection

/// Who watches a group's key for a crowd, as one of the crowd has seen it.
///
/// Each post is a key. Whoever mans one writes it anew from time to time, so that the others, who see that happen, can tell
/// by their own clocks when it is deserted.
struct LookoutPosts: Sendable {
    /// One of them may be about to lead, and one may be gone.
    static var count: Int { 3 }
    /// Of fewer candidates each watches for itself.
    static var smallestCrowd: Int { 2 * count + 1 }
    static var rewriting: Duration { .seconds(20) }
    /// A post that was not written for so long is deserted.
    static var patience: Duration { .seconds(50) }
    /// Keys that are written to have everybody look.
    enum Bell: String, CaseIterable {
        /// Somebody who is no lookout leads now.
        case granted
        /// The lease was handed to somebody, who is to ask for it at once.
        case transferred
    }

    /// A post that may be taken.
    struct Vacancy: Hashable, Sendable {
        var post: Int
        /// Of the entry; 0 if there is none.
        var index: UInt64
    }

    /// What an answer told that was not known before.
    struct News: Hashable, Sendable {
        /// Somebody has left a post, to lead or for good.
        var hasAnyLeft = false
        var bells: Set<Bell> = []
    }

    private struct Post: Hashable {
        var index: UInt64
        var lookout: [UInt8]
        /// When the answer that first showed it was here.
        var since: ElectionInstant
    }

    private let ourName: [UInt8]
    private var posts: [Int: Post] = [:]
    private var bells: [Bell: UInt64] = [:]

    /// - Parameter ourName: what this process writes into a post.
    init(ourName: [UInt8]) { self.ourName = ourName }

    /// Takes note of an answer that holds all entries of the group.
    mutating func read(_ entries: [KVEntry], at instant: ElectionInstant) -> News {
        var news = News()
        var now: [Int: Post] = [:]
        for entry in entries {
            guard let slash = entry.key.utf8.lastIndex(of: UInt8(ascii: "/")) else { continue }
            let name = entry.key[entry.key.utf8.index(after: slash)...]
            if let bell = Bell(rawValue: String(name)) {
                if bells.updateValue(entry.modifyIndex, forKey: bell) != entry.modifyIndex { news.bells.insert(bell) }
            } else if let post = Int(name), (0..<Self.count).contains(post) {
                let isOld = posts[post]?.index == entry.modifyIndex
                now[post] = Post(
                    index: entry.modifyIndex,
                    lookout: entry.value,
                    since: isOld ? posts[post]?.since ?? instant : instant
                )
            }
        }
        news.hasAnyLeft = posts.contains { now[$0]?.lookout != $1.lookout }
        posts = now
        return news
    }

    /// The posts that nobody else mans.
    func vacancies(at instant: ElectionInstant) -> [Vacancy] {
        (0..<Self.count).compactMap { number in
            guard let post = posts[number] else { return Vacancy(post: number, index: 0) }
            return isMannedByOther(post, at: instant) ? nil : Vacancy(post: number, index: post.index)
        }
    }

    /// Whether anybody else watches.
    func isAnyMannedByOthers(at instant: ElectionInstant) -> Bool {
        posts.values.contains { isMannedByOther($0, at: instant) }
    }

    func isOurs(_ post: Int) -> Bool { posts[post]?.lookout == ourName }

    private func isMannedByOther(_ post: Post, at instant: ElectionInstant) -> Bool {
        post.lookout != ourName && instant - post.since <= Self.patience
    }
}
#endif
