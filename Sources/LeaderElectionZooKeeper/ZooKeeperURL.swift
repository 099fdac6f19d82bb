// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import LeaderElection
internal import Logging

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// `zookeeper://user:password@host:port,host:port/root/path?option=value&…`; messages never repeat it.
struct ZooKeeperURL {
    private static var options: String {
        "credentials, sessionTimeout, tickTime, naming, createRoot"
    }

    static func settings(_ text: String, logger: Logger?) throws -> ZooKeeperSettings {
        let scheme = "zookeeper://"
        guard text.lowercased().hasPrefix(scheme), !text.contains("#") else {
            throw invalid("write it as zookeeper://host:port,host:port/root/path")
        }
        let parts = text.dropFirst(scheme.count).split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let place = parts[0]
        let slash = place.firstIndex(of: "/") ?? place.endIndex
        var authority = place[..<slash]
        var credentials: ZooKeeperCredentials?
        if let at = authority.lastIndex(of: "@") {
            credentials = try self.credentials(authority[..<at], isEncoded: true)
            authority = authority[authority.index(after: at)...]
        }
        guard !place[slash...].contains("@") else {
            throw invalid("write @ as %40 and / as %2F within user and password")
        }
        let path = place[slash...].drop { $0 != "/" }
        guard let root = percentDecoded(path.isEmpty || path == "/" ? "/leader-election" : path) else {
            throw invalid("a % in the path must be followed by two hexadecimal digits")
        }
        var sessionTimeout: Duration?
        var tickTime = Duration.seconds(2)
        var naming = ZooKeeperQueueNaming.kazoo
        var createRoot = true
        for option in parts.dropFirst().first?.split(separator: "&") ?? [] {
            let pair = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2, let value = percentDecoded(pair[1]) else {
                throw invalid("an option behind the ? is not of the form name=value")
            }
            switch pair[0] {
            case "credentials":
                guard credentials == nil, let text = getenv(value).map({ String(cString: $0) }) else {
                    throw invalid(
                        "credentials must name a variable of the environment that holds user:password, "
                            + "and the URL must then hold none"
                    )
                }
                credentials = try self.credentials(text[...], isEncoded: false)
            case "sessionTimeout": sessionTimeout = try duration(value, "sessionTimeout")
            case "tickTime": tickTime = try duration(value, "tickTime")
            case "naming":
                guard let chosen = ZooKeeperQueueNaming(rawValue: value) else {
                    throw invalid("naming is one of kazoo, latch and lock")
                }
                naming = chosen
            case "createRoot":
                guard value == "yes" || value == "no" else { throw invalid("createRoot is yes or no") }
                createRoot = value == "yes"
            case "tls", "ssl", "sasl":
                throw invalid(
                    "\(pair[0]) is not supported: the client library that is linked, libzookeeper_mt, is built "
                        + "without it on most systems; use digest, and a tunnel where the network is not trusted"
                )
            default: throw invalid("an option behind the ? is unknown; there are \(options)")
            }
        }
        return try ZooKeeperSettings(
            servers: String(authority),
            root: root,
            credentials: credentials,
            sessionTimeout: sessionTimeout,
            tickTime: tickTime,
            naming: naming,
            createRoot: createRoot,
            logger: logger
        )
    }

    private static func invalid(_ message: String) -> ElectionError {
        ElectionError(
            .invalidConfiguration,
            "the zookeeper URL cannot be used (it is not shown, as it may hold a password): \(message)"
        )
    }

    private static func credentials(_ text: Substring, isEncoded: Bool) throws -> ZooKeeperCredentials {
        guard let colon = text.firstIndex(of: ":"),
            let user = isEncoded ? percentDecoded(text[..<colon]) : String(text[..<colon]),
            let password = isEncoded
                ? percentDecoded(text[text.index(after: colon)...])
                : String(text[text.index(after: colon)...])
        else { throw invalid("credentials have the form user:password") }
        return ZooKeeperCredentials(user: user, password: password)
    }

    private static func duration(_ text: String, _ name: String) throws -> Duration {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits), number > 0, number < 1_000_000_000 else {
            throw invalid("\(name) is a time such as 10s or 500ms")
        }
        switch text.dropFirst(digits.count) {
        case "ms": return .milliseconds(number)
        case "s": return .seconds(number)
        default: throw invalid("\(name) is a time such as 10s or 500ms")
        }
    }

    private static func percentDecoded(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            guard digits.utf8.count == 2, digits.allSatisfy(\.isHexDigit), let value = UInt8(digits, radix: 16),
                value > 0
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
#endif
