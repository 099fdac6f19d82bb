// SPDX-License-Identifier: MIT

internal import CElectionSystem

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// A plain file that stays open as long as the value lives, to be read and written in place.
///
/// Letting go of one that is writable yields ``DirectoryEvent/closedAfterWriting(_:)``.
package final class OpenFile: Sendable {
    private let descriptor: Int32
    private let path: String

    /// Opens a file; nil if there is none.
    ///
    /// - Throws: `EINVAL` if it is not a plain file, `ELOOP` for a symbolic link.
    package init?(path: String, writable: Bool) throws(FileError) {
        do {
            descriptor = try openFile(path, writable ? O_RDWR : O_RDONLY)
        } catch let error where error.code == ENOENT {
            return nil
        }
        self.path = path
        guard try FileIdentity(descriptor: descriptor, path: path).isRegularFile else {
            throw FileError("read", path, code: EINVAL)
        }
    }

    deinit { _ = close(descriptor) }

    /// All bytes of the file.
    ///
    /// - Throws: `EFBIG` if there are more than `limit`.
    package func read(atMost limit: Int) throws(FileError) -> [UInt8] {
        // One more than most files have, so that their end is seen without another round.
        var bytes = [UInt8](repeating: 0, count: min(limit, 8 * 1024) + 1)
        var count = 0
        while true {
            let added = try systemCall("read", path) {
                bytes.withUnsafeMutableBytes { buffer in
                    let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
                    return Int32(truncatingIfNeeded: pread(descriptor, rest.baseAddress, rest.count, off_t(count)))
                }
            }
            count += Int(added)
            if added == 0 { break }
            guard count <= limit else { throw FileError("read", path, code: EFBIG) }
            if count == bytes.count {
                bytes += [UInt8](repeating: 0, count: min(bytes.count, limit + 1 - count))
            }
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    /// Overwrites part of the file; readers may see some of it before the rest.
    package func write(_ bytes: [UInt8], at offset: Int) throws(FileError) {
        try writeAll(bytes, to: descriptor, at: offset, path: path)
    }

    /// Waits until everything written so far is proof against a power cut.
    package func sync() throws(FileError) {
        #if os(Linux)
        try systemCall("fdatasync", path) { fdatasync(descriptor) }
        #else
        try systemCall("fsync", path) { fsync(descriptor) }
        #endif
    }

    /// Makes the watchers of the directory receive ``DirectoryEvent/touched(_:)``.
    package func touch() {
        _ = futimens(descriptor, nil)
    }
}
