// SPDX-License-Identifier: MIT

/// Something that happened in a watched directory; names are without the path.
package enum DirectoryEvent: Hashable, Sendable {
    /// The last reference to a file that was open for writing is gone: closed, or its process died.
    case closedAfterWriting(String)
    /// The times or the rights of a file were set.
    case touched(String)
    /// Bytes of a file changed that is listened to itself; see ``DirectoryWatcher/listen(to:once:)``.
    case fileModified(Int32)
    /// A name appeared, or now stands for another file.
    case createdOrMovedIn(String)
    /// A name disappeared, or its file was replaced by a rename from elsewhere.
    case deletedOrMovedAway(String)
    /// The directory itself was deleted, moved, or unmounted. Nothing follows.
    case directoryGone
    /// The kernel had to drop events: anything may have happened.
    case overflow
}

/// Which events a watcher asks the kernel for; ``DirectoryEvent/directoryGone`` and ``DirectoryEvent/overflow`` always.
package struct DirectoryInterest: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let closedAfterWriting = DirectoryInterest(rawValue: 1)
    package static let touched = DirectoryInterest(rawValue: 2)
    package static let createdOrMovedIn = DirectoryInterest(rawValue: 4)
    package static let deletedOrMovedAway = DirectoryInterest(rawValue: 8)
}
