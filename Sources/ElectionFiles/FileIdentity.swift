// SPDX-License-Identifier: MIT

internal import CElectionSystem

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// Tells one file from another that later stands under the same path.
package struct FileIdentity: Hashable, Sendable {
    /// The device that the file is on.
    package let device: UInt64
    /// The number of the file on its device; not used again as long as anybody has the file open.
    package let inode: UInt64
    /// Whether any directory still names the file.
    package let isLinked: Bool
    /// Whether it is a plain file rather than a directory, a pipe, or a device.
    package let isRegularFile: Bool
    /// Whether it is a directory.
    package let isDirectory: Bool

    private init(_ status: stat) {
        device = UInt64(truncatingIfNeeded: status.st_dev)
        inode = UInt64(truncatingIfNeeded: status.st_ino)
        isLinked = status.st_nlink > 0
        isRegularFile = status.st_mode & S_IFMT == S_IFREG
        isDirectory = status.st_mode & S_IFMT == S_IFDIR
    }

    /// The file behind an open descriptor.
    package init(descriptor: Int32, path: String) throws(FileError) {
        var status = stat()
        try systemCall("fstat", path) { fstat(descriptor, &status) }
        self.init(status)
    }

    /// The file that a path leads to now; nil if there is none.
    ///
    /// - Parameter followingLink: whether a symbolic link in the last place is followed.
    package init?(path: String, followingLink: Bool = false) throws(FileError) {
        var status = stat()
        do {
            try systemCall("stat", path) { followingLink ? stat(path, &status) : lstat(path, &status) }
        } catch let error where error.code == ENOENT || error.code == ENOTDIR {
            return nil
        }
        self.init(status)
    }

    /// Whether both are the same file, and one that a directory still names.
    package func isSameLinkedFile(as other: FileIdentity?) -> Bool {
        guard let other else { return false }
        return device == other.device && inode == other.inode && isLinked && other.isLinked
    }
}
