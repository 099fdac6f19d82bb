// SPDX-License-Identifier: MIT

#if HTTP
internal import LeaderElection

/// Where to listen, as people write it: `127.0.0.1:8086`, `[::1]:8086`, `localhost:8086`.
package struct ListenAddress: Hashable, Sendable {
    package let host: String
    package let port: Int

    /// - Throws: ``ElectionError/Code/invalidConfiguration``, which names the text and the remedy.
    package init(_ text: String) throws {
        func refused(_ why: String) -> ElectionError {
            let scalars = text.unicodeScalars.prefix(80)
            let safe = String(scalars.map { $0.value < 0x20 || $0.value == 0x7F ? "?" : Character($0) })
            return ElectionError(
                .invalidConfiguration,
                "\"\(safe)\" is no address to listen on: \(why); give host and port, such as 127.0.0.1:8086"
            )
        }
        guard let colon = text.lastIndex(of: ":") else { throw refused("it has no port") }
        let digits = text[text.index(after: colon)...]
        guard let port = Int(digits), digits.allSatisfy({ $0.isASCII && $0.isNumber }), (0...65_535).contains(port)
        else {
            throw refused("the port is not a number from 0 to 65535")
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw refused("an IPv6 address belongs in brackets")
        }
        guard !host.isEmpty else { throw refused("it has no host; 0.0.0.0 means all addresses of this machine") }
        guard host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") }) else {
            throw refused("the host holds a character that no host has")
        }
        self.host = String(host)
        self.port = port
    }
}
#endif
