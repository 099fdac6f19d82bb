// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import ElectionStores
internal import LeaderElection

/// Telling others that a note is worth reading, and hearing of it.
extension ZooKeeperStore {
    private var parent: String { "\(settings.root)/\(GroupPath.news)" }
    private func path(_ slot: NewsSlot) -> String { "\(parent)/\(slot.number)" }

    /// Somebody here has to do with the group's notes, and is to hear of news if there is anybody who listens.
    func wantNews(_ group: ElectionGroup) {
        news.want(group, at: .now, memory: max(.seconds(600), patience * 10))
        if !subscribers.isEmpty { watchNews(NewsSlot(group)) }
    }

    func watchNews(_ slot: NewsSlot) {
        if news.mustAsk(slot) { ask(slot) }
    }

    /// The slot's node has changed, and has to be read for its next change to be told.
    func newsCame(_ slot: NewsSlot) { ask(slot) }

    private func ask(_ slot: NewsSlot, mayCreate: Bool = true) {
        send(.news(path(slot), slot)) { reply in
            switch reply.code {
            case ZooKeeperCode.ok:
                let name = String(validating: reply.data ?? [], as: UTF8.self)
                let latest = name.flatMap { try? ElectionGroup($0) }
                for group in self.news.seen(slot, version: reply.stat?.version ?? 0, latest: latest) {
                    self.subscribers.send(.noted(group))
                }
            case ZooKeeperCode.noNode where mayCreate:
                self.create(slot)
                self.ask(slot, mayCreate: false)
            // Whoever next has to do with a group of the slot tries again.
            default: self.news.missed(slot)
            }
        }
    }

    /// Whoever only listens may be the first below this root, and must not miss what the next one writes.
    private func create(_ slot: NewsSlot) {
        createRootPath()
        for path in [parent, path(slot)] { send(.create(path, [], .persistent)) { _ in } }
    }

    /// Tells whoever listens to the group.
    func spread(_ group: ElectionGroup, mayCreate: Bool = true) {
        let path = path(NewsSlot(group))
        send(.set(path, Array(group.name.utf8))) { reply in
            guard reply.code == ZooKeeperCode.noNode, mayCreate else { return }
            self.create(NewsSlot(group))
            self.spread(group, mayCreate: false)
        }
    }

    func registerNews(_ slot: NewsSlot, _ id: UInt64) -> Bool {
        newsWatches[id] = slot
        return true
    }
}
#endif
