// SPDX-License-Identifier: MIT

internal import CElectionSystem

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// One of a few places at a lock file, for those who listen to the file itself and not only to its directory.
///
/// Whoever unlocks the file sees that places are taken, wakes those who sit there, and all others a little later. A place is
/// a shared lock on one byte far behind the end of the file (of the open file, see fcntl(2)): it excludes nobody, needs no
/// right but to read, and ends with its process. Two who look at the same moment may take the same place, which does no
/// harm. Where there are no such locks (macOS) nobody sits.
package final class FileSeat: Sendable {
    /// How many there are at each file.
    package static var count: Int { 2 }
    private static var firstByte: off_t { 1 << 40 }

    private let descriptor: Int32
    /// The file.
    package let identity: FileIdentity

    private init(owning descriptor: Int32, identity: FileIdentity) {
        (self.descriptor, self.identity) = (descriptor, identity)
    }

    /// Closing a file that was open for reading wakes nobody.
    deinit { _ = close(descriptor) }

    /// Takes a place; nil if none is left.
    package static func take(at path: String) throws(FileError) -> FileSeat? {
        #if os(Linux)
        let descriptor = try openFile(path, O_RDONLY)
        do throws(FileError) {
            let identity = try FileIdentity(descriptor: descriptor, path: path)
            for byte in firstByte..<(firstByte + off_t(count))
            where election_others_share_bytes(descriptor, byte, 1) == 0 {
                try systemCall("fcntl", path) { election_share_bytes(descriptor, byte, 1) }
                return FileSeat(owning: descriptor, identity: identity)
            }
        } catch {
            _ = close(descriptor)
            throw error
        }
        _ = close(descriptor)
        #endif
        return nil
    }

    /// Whether others sit at the file that this descriptor has open.
    static func isAnyTaken(at descriptor: Int32) -> Bool {
        #if os(Linux)
        election_others_share_bytes(descriptor, firstByte, off_t(count)) == 1
        #else
        false
        #endif
    }
}
