// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import Logging

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// `consul://host:port/prefix?option=value&…`; messages never repeat what may be a secret.
struct ConsulURL {
    typealias Environment = (String) -> String?

    static var forms: String {
        "consul://host:8500/prefix, consul+https://host:8501/prefix or consul+unix:///path/of/socket"
    }

    static func settings(
        _ text: String,
        token: String? = nil,
        environment: Environment = processEnvironment,
        logger: Logger? = nil
    ) throws(ElectionError) -> ConsulSettings {
        guard text.utf8.count <= 16_384, !text.contains("#") else {
            throw error("it is longer than 16384 bytes or holds a #; write %23 where one is meant")
        }
        let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let colon = first.firstIndex(of: ":"), first[colon...].hasPrefix("://") else {
            throw error("it has no \"://\"; use \(forms)")
        }
        let scheme = first[..<colon].lowercased()
        let rest = first[first.index(colon, offsetBy: 3)...]
        guard !rest.contains("@") else {
            throw error("it holds an @; a token is given by the option token or in CONSUL_HTTP_TOKEN")
        }
        var options = try ConsulURLOptions(parts.count > 1 ? parts[1] : "")
        var settings: ConsulSettings
        var path: Substring
        switch scheme {
        case "consul", "consul+http", "consul+https":
            let slash = rest.firstIndex(of: "/") ?? rest.endIndex
            settings = ConsulSettings(try address(rest[..<slash], port: scheme.hasSuffix("https") ? 8501 : 8500))
            path = rest[slash...]
        case "consul+unix":
            guard rest.hasPrefix("/"), rest.utf8.count > 1 else {
                throw error("a Unix socket is named as consul+unix:///path/of/socket, with three slashes")
            }
            settings = ConsulSettings(.socket(path: try decode(rest, "path")))
            path = ""
        default: throw error("its scheme is not known; use \(forms)")
        }
        if let prefix = options.take("prefix") {
            guard path.allSatisfy({ $0 == "/" }) else {
                throw error("it names the prefix twice, in its path and by the option prefix; name it once")
            }
            path = prefix[...]
        } else {
            path = try decode(path, "path")[...]
        }
        try settings.setPrefix(path)
        try options.apply(to: &settings, usesTLS: scheme.hasSuffix("https"), token: token, environment: environment)
        settings.logger = logger
        return settings
    }

    private static func address(_ text: Substring, port standard: Int) throws(ElectionError) -> ConsulSettings.Address {
        var host = text
        var port = Substring()
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { throw error("an address in [ has no ]") }
            host = text[text.index(after: text.startIndex)..<end]
            port = text[text.index(after: end)...]
            guard port.isEmpty || port.first == ":" else { throw error("after ] comes :port or nothing") }
            port = port.dropFirst()
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        if host.isEmpty { host = "127.0.0.1" }
        guard host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !",%/\\".utf8.contains($0) }) else {
            throw error("the host cannot be read; name one agent, as in \(forms)")
        }
        guard !port.isEmpty else { return .host(String(host), port: standard) }
        guard port.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(port), (1...65535).contains(number)
        else { throw error("the port is not a number from 1 to 65535") }
        return .host(String(host), port: number)
    }

    static func decode(_ text: Substring, _ what: String) throws(ElectionError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            rest = rest.dropFirst(2)
            guard digits.utf8.count == 2, digits.allSatisfy(\.isHexDigit), let value = UInt8(digits, radix: 16) else {
                throw error("the \(what) holds a % without two hexadecimal digits; write %25 for a %")
            }
            bytes.append(value)
        }
        guard let result = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw error("the \(what) is not text in UTF-8")
        }
        return result
    }

    static let processEnvironment: @Sendable (String) -> String? = { getenv($0).map { String(cString: $0) } }

    static func error(_ text: String) -> ElectionError {
        ElectionError(.invalidConfiguration, "the URL of the Consul store: \(text)")
    }
}

extension ConsulSettings {
    /// Keys are compared by their bytes, and travel in URLs.
    mutating func setPrefix(_ text: Substring) throws(ElectionError) {
        let names = text.split(separator: "/")
        guard !names.isEmpty else { return }
        let isAllowed = names.allSatisfy { name in
            name != "." && name != ".."
                && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"%?#\"\\".utf8.contains($0) }
        }
        guard isAllowed, names.joined(separator: "/").utf8.count <= 200 else {
            throw ConsulURL.error(
                "the prefix cannot be used; use up to 200 visible ASCII characters without % ? # \" \\, as in /elections"
            )
        }
        prefix = names.joined(separator: "/") + "/"
    }
}
#endif
