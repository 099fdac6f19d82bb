// SPDX-License-Identifier: MIT

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// A system call that failed, with the file that it was about.
package struct FileError: Error, Hashable, CustomStringConvertible {
    /// The call, such as "open".
    package let call: String
    /// The file.
    package let path: String
    /// The system's error number.
    package let code: Int32

    package init(_ call: String, _ path: String, code: Int32) {
        (self.call, self.path, self.code) = (call, path, code)
    }

    /// Whether this process, or the machine, has too many files open.
    package var isOutOfDescriptors: Bool { code == EMFILE || code == ENFILE }

    /// Whether the file is larger than was allowed.
    package var isTooLarge: Bool { code == EFBIG }

    package var description: String {
        // The text of a known error number is a constant: this is safe from any thread.
        let text = strerror(code).map { String(cString: $0) } ?? "unknown error"
        return "\(call) \(path): \(text) (errno \(code))"
    }
}

/// Calls again as long as a signal interrupts, and throws what the system refuses.
@discardableResult
func systemCall(_ name: String, _ path: String, _ body: () -> Int32) throws(FileError) -> Int32 {
    while true {
        let result = body()
        if result >= 0 { return result }
        let code = errno
        if code == EINTR { continue }
        throw FileError(name, path, code: code)
    }
}

/// Opens a file close-on-exec, never through a symbolic link in the last place, never waiting for a pipe's other end.
///
/// - Throws: `ELOOP` for a symbolic link.
func openFile(_ path: String, _ flags: Int32, mode: mode_t = 0) throws(FileError) -> Int32 {
    try systemCall("open", path) { open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode) }
}
