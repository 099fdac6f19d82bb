// SPDX-License-Identifier: MIT

internal import CElectionSystem

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// The bytes of a small plain file; nil if there is none.
///
/// - Throws: `EFBIG` if it is larger than `limit`, `EINVAL` if it is not a plain file, `ELOOP` for a symbolic link.
package func readFile(_ path: String, atMost limit: Int) throws(FileError) -> [UInt8]? {
    try OpenFile(path: path, writable: false)?.read(atMost: limit)
}

/// Replaces a file in one step that survives a power cut: readers see the old bytes or the new ones, never others.
///
/// Writes `temporaryName` in the same directory, and leaves nothing of it behind when the disk is full. Only one writer
/// at a time may use a `temporaryName`. If this throws, the file is the old one, or the new one not yet proof against
/// a power cut.
///
/// - Parameter isDurable: false for what may be lost, or be empty, after a power cut; nothing then waits for the disk.
package func replaceFile(
    named name: String,
    in directory: String,
    with bytes: [UInt8],
    temporaryName: String,
    mode: UInt32 = 0o660,
    isDurable: Bool = true
) throws(FileError) {
    let (path, temporary) = (directory + "/" + name, directory + "/" + temporaryName)
    // What a killed process left.
    _ = unlink(temporary)
    let descriptor = try openFile(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: mode_t(mode))
    do throws(FileError) {
        defer { _ = close(descriptor) }
        try writeAll(bytes, to: descriptor, at: 0, path: temporary)
        if isDurable { try systemCall("fsync", temporary) { fsync(descriptor) } }
    } catch {
        _ = unlink(temporary)
        throw error
    }
    do {
        try systemCall("rename", path) { rename(temporary, path) }
    } catch {
        _ = unlink(temporary)
        throw error
    }
    if isDurable { try syncDirectory(directory) }
}

/// Removes a file; none there is fine.
package func removeFile(_ path: String) throws(FileError) {
    do {
        try systemCall("unlink", path) { unlink(path) }
    } catch let error where error.code == ENOENT {
        // Somebody else was faster.
    }
}

func writeAll(_ bytes: [UInt8], to descriptor: Int32, at offset: Int, path: String) throws(FileError) {
    var written = 0
    while written < bytes.count {
        written += Int(
            try systemCall("write", path) {
                bytes.withUnsafeBytes { buffer in
                    let rest = UnsafeRawBufferPointer(rebasing: buffer[written...])
                    return Int32(
                        truncatingIfNeeded: pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + written))
                    )
                }
            }
        )
    }
}

/// Makes the names in a directory proof against a power cut.
package func syncDirectory(_ directory: String) throws(FileError) {
    let descriptor = try systemCall("open", directory) { open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    defer { _ = close(descriptor) }
    do {
        try systemCall("fsync", directory) { fsync(descriptor) }
    } catch let error where error.code == EINVAL {
        // Some network file systems do not sync directories; they write names through at once.
    }
}
