// SPDX-License-Identifier: MIT

internal import ElectionFiles
internal import LeaderElection
internal import Synchronization

/// The groups of which this process hears first when their lock is given back.
///
/// With many processes waiting, a release that woke them all would keep the next leader from the processor. So it wakes
/// those who sit at the lock file, and all others some milliseconds later, when hardly any of them is needed. Whoever wins
/// gets up, and one of those who lost sits down when it hears of the new term.
final class Seats: Sendable {
    private struct Seat {
        let file: FileSeat
        /// What the watcher knows the file by.
        let listener: Int32
        let watcher: DirectoryWatcher
    }

    private struct State {
        var seats: [ElectionGroup: Seat] = [:]

        /// In one go with what sits down next: the kernel knows each file by one number, which must not end twice.
        mutating func remove(_ group: ElectionGroup) {
            guard let seat = seats.removeValue(forKey: group) else { return }
            seat.watcher.stopListening(seat.listener)
        }
    }

    /// Each costs a descriptor and a watch of the kernel; where nobody sits, all are woken at once.
    private static let maximum = 128

    private let state = Mutex(State())

    /// Sits down at the group's lock file, if there is a place.
    ///
    /// A failure is no misfortune, and not told: it only means to be woken with all others.
    func take(_ group: ElectionGroup, lockPath: String, _ watcher: DirectoryWatcher) {
        state.withLock { state in
            if let seat = state.seats[group] {
                let here = try? FileIdentity(path: lockPath)
                if seat.watcher === watcher, seat.file.identity.isSameLinkedFile(as: here) { return }
                state.remove(group)
            }
            guard state.seats.count < Self.maximum, let file = try? FileSeat.take(at: lockPath),
                let listener = try? watcher.listen(to: lockPath)
            else { return }
            state.seats[group] = Seat(file: file, listener: listener, watcher: watcher)
        }
    }

    /// Makes room for another who waits.
    func leave(_ group: ElectionGroup) { state.withLock { $0.remove(group) } }

    func leaveAll() {
        state.withLock { state in
            for group in state.seats.keys { state.remove(group) }
        }
    }

    /// The group at whose lock file somebody has rung.
    func group(_ listener: Int32) -> ElectionGroup? {
        state.withLock { $0.seats.first { $0.value.listener == listener }?.key }
    }
}
