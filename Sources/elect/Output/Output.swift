// SPDX-License-Identifier: MIT

internal import CElectCommand
internal import CElectionSystem

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// Whole lines on the standard streams, without a buffer that a crash could swallow.
enum Output {
    /// One line on standard output; false once nobody reads it any more.
    @discardableResult
    static func line(_ text: String) -> Bool { writeLine(text, to: 1) }

    /// One line on standard error, with the program's name in front.
    static func complain(_ text: String) { _ = writeLine("elect: \(text)", to: 2) }

    /// One line on standard error as it is.
    static func note(_ text: String) { _ = writeLine(text, to: 2) }

    /// Whether colours make sense on a stream; `NO_COLOR` and `TERM=dumb` are respected.
    static func isColourful(_ descriptor: Int32) -> Bool {
        func variable(_ name: String) -> String { getenv(name).map { String(cString: $0) } ?? "" }
        return isatty(descriptor) == 1 && variable("NO_COLOR").isEmpty && variable("TERM") != "dumb"
    }

    /// Writes a line with as few calls as the system allows: one, unless it takes only a part.
    static func writeLine(_ text: String, to descriptor: Int32) -> Bool {
        let bytes = Array(text.utf8) + [UInt8(ascii: "\n")]
        return bytes.withUnsafeBytes { bytes in
            var written = 0
            while written < bytes.count {
                let count = write(descriptor, bytes.baseAddress?.advanced(by: written), bytes.count - written)
                if count >= 0 {
                    written += count
                } else if errno == EAGAIN {
                    var writable = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    poll(&writable, 1, -1)
                } else if errno != EINTR {
                    return false
                }
            }
            return true
        }
    }

    /// What others wrote, without what could move a terminal's cursor.
    static func printable(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            result.unicodeScalars.append(isControl ? "\u{FFFD}" : scalar)
        }
        return result
    }
}
