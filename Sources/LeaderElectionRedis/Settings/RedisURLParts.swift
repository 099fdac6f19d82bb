// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection

/// A URL taken apart: `scheme://user:password@host:port,host:port/path?name=value&…`.
struct RedisURLParts {
    /// In small letters.
    var scheme: String
    var username: String?
    var password: String?
    var hosts: [RedisSettings.Address]
    /// Decoded, with its leading slash; empty if there is none.
    var path: String
    /// Decoded names and values, in their order.
    var options: [(name: String, value: String)]

    init(_ text: String) throws(ElectionError) {
        guard text.utf8.count <= 16_384 else { throw RedisURL.error("it is longer than 16384 bytes") }
        guard let schemeEnd = Self.range(of: "://", in: text[...]) else {
            throw RedisURL.error("it has no \"://\"; use \(RedisURL.forms)")
        }
        scheme = text[..<schemeEnd.lowerBound].lowercased()
        var rest = text[schemeEnd.upperBound...]
        // A password must have its ?, # and / encoded, so the first of them ends the authority.
        if rest.contains("#") { throw RedisURL.error("it holds a #; write %23 where one is meant") }
        var query = Substring()
        if let mark = rest.firstIndex(of: "?") {
            query = rest[rest.index(after: mark)...]
            rest = rest[..<mark]
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        path = try Self.decode(rest[slash...], "path")
        rest = rest[..<slash]
        if let at = rest.lastIndex(of: "@") {
            let login = rest[..<at]
            rest = rest[rest.index(after: at)...]
            let colon = login.firstIndex(of: ":")
            let user = try Self.decode(login[..<(colon ?? login.endIndex)], "user")
            username = user.isEmpty ? nil : user
            if let colon {
                let secret = try Self.decode(login[login.index(after: colon)...], "password")
                password = secret.isEmpty ? nil : secret
            }
            if username != nil, password == nil {
                throw RedisURL.error(
                    "it names a user without a password; write user:password@, or :password@ without a user"
                )
            }
        }
        hosts = []
        let isSocket = scheme.hasSuffix("+unix")
        for piece in isSocket && rest.isEmpty ? [] : rest.split(separator: ",", omittingEmptySubsequences: false) {
            hosts.append(try Self.host(piece, defaultPort: scheme.hasSuffix("+sentinel") ? 26379 : 6379))
        }
        options = []
        for pair in query.split(separator: "&") {
            let sign = pair.firstIndex(of: "=") ?? pair.endIndex
            let name = try Self.decode(pair[..<sign], "name of an option")
            options.append((name, try Self.decode(pair[sign...].dropFirst(), "option \(name)")))
        }
    }

    private static func host(_ text: Substring, defaultPort: Int) throws(ElectionError) -> RedisSettings.Address {
        var host = text
        var port = Substring()
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { throw RedisURL.error("an address in [ has no ]") }
            host = text[text.index(after: text.startIndex)..<end]
            port = text[text.index(after: end)...]
            guard port.isEmpty || port.first == ":" else { throw RedisURL.error("after ] comes :port or nothing") }
            port = port.dropFirst()
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
            guard !port.contains(":") else {
                throw RedisURL.error("an IPv6 address is written in brackets, as in [::1]:6379")
            }
        }
        let name = try decode(host, "host")
        guard !name.isEmpty else { throw RedisURL.error("a host is missing") }
        guard !name.contains(where: { $0.isWhitespace || $0 == "/" || $0 == "@" }) else {
            throw RedisURL.error("a host holds a character that no host has; encode those of user and password with %")
        }
        if port.isEmpty { return .host(name, port: defaultPort) }
        guard port.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(port), (1...65535).contains(number)
        else {
            // What stands there may be part of a password whose @ or : was not encoded.
            throw RedisURL.error("a port is not a number from 1 to 65535; encode a : or @ in user and password with %")
        }
        return .host(name, port: number)
    }

    /// Resolves `%41` and the like; `what` is for people.
    static func decode(_ text: Substring, _ what: String) throws(ElectionError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            rest = rest.dropFirst(2)
            guard digits.count == 2, digits.first != UInt8(ascii: "+"), digits.first != UInt8(ascii: "-"),
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            else { throw RedisURL.error("the \(what) holds a % without two hexadecimal digits; write %25 for a %") }
            bytes.append(value)
        }
        guard let result = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw RedisURL.error("the \(what) is not text in UTF-8")
        }
        return result
    }

    private static func range(of marker: String, in text: Substring) -> Range<Substring.Index>? {
        var start = text.startIndex
        while start < text.endIndex {
            if text[start...].hasPrefix(marker) { return start..<text.index(start, offsetBy: marker.count) }
            start = text.index(after: start)
        }
        return nil
    }
}
#endif
