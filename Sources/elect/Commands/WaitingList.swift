// SPDX-License-Identifier: MIT

internal import LeaderElection

/// Tells who waits for leadership of a group whenever that has changed.
struct WaitingList {
    let group: ElectionGroup
    let provider: any ElectionProvider
    let printer: EventPrinter

    /// Candidates come and go without anybody's telling: they are looked up this often.
    private static let interval = Duration.seconds(2)

    private func isSame(_ left: [ListedCandidate], _ right: [ListedCandidate]) -> Bool {
        left.map(\.candidate.id) == right.map(\.candidate.id) && left.map(\.position) == right.map(\.position)
    }

    /// Returns when the service has stopped; at once if the store has no place for candidates.
    func follow(_ service: ElectionService) async {
        guard let provider = provider as? any NoteKeepingProvider else { return }
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { for await _ in service.changes {} }
            tasks.addTask {
                var last: [ListedCandidate] = []
                while !Task.isCancelled {
                    // What is wrong with the store is told as an event; what cannot be read has not changed.
                    if let now = try? await provider.candidates(in: group), !isSame(now, last) {
                        printer.print(waiting: now, in: group)
                        last = now
                    }
                    try? await Task.sleep(for: Self.interval)
                }
            }
            await tasks.next()
            tasks.cancelAll()
        }
    }
}
