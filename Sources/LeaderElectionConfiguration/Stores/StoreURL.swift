// SPDX-License-Identifier: MIT

package import LeaderElection
internal import LeaderElectionFileSystem
package import Logging

/// A store as it is named by a URL; never printed as it was given, because it may hold a password.
package struct StoreURL: Sendable, Equatable {
    package enum Store: Sendable, Equatable {
        case memory
        case directory(String)
        case database(String)
        /// A whole URL, secrets included.
        case postgres(String)
        case redis(String)
        case zookeeper(String)
        case consul(String)
    }

    package let store: Store
    package var choices = StoreChoices()

    /// - Parameter source: what the author of the text calls it.
    package init(_ text: String, source: String) throws {
        guard let colon = text.firstIndex(of: ":") else {
            throw Self.unusable("\(source): \"\(Self.safe(text))\" has no scheme; use \(Self.forms)")
        }
        let rest = text[text.index(after: colon)...]
        switch text[..<colon].lowercased() {
        case "memory":
            guard rest.isEmpty || rest == "//" else {
                throw Self.unusable("\(source): memory: takes nothing behind the colon")
            }
            store = .memory
        case "file": store = .directory(try Self.path(rest, "file", "file:///var/lib/app/election", source))
        case "sqlite":
            let path = try Self.path(rest, "sqlite", "sqlite:///var/lib/app/election.db", source)
            guard !path.hasSuffix("/") else {
                throw Self.unusable(
                    "\(source): \(path) names a directory; name a file, such as \(path)election.db"
                )
            }
            store = .database(path)
        case "postgres", "postgresql": store = .postgres(text)
        case let scheme where scheme.hasPrefix("redis"): store = .redis(text)
        case "zookeeper": store = .zookeeper(text)
        case let scheme where scheme == "consul" || scheme.hasPrefix("consul+"): store = .consul(text)
        case let scheme:
            throw Self.unusable("\(source): \"\(Self.safe(scheme)):\" is not a known store; use \(Self.forms)")
        }
    }

    /// The provider of the store.
    ///
    /// - Parameter readOnly: make nothing that is not there.
    package func provider(readOnly: Bool, logger: Logger) throws -> any ElectionProvider {
        switch store {
        case .memory: InMemoryElectionProvider()
        case .directory(let path):
            try FileSystemElectionProvider(
                directory: path,
                createDirectory: !readOnly,
                allowNetworkFileSystem: choices.allowsNetworkFileSystem,
                logger: logger
            )
        case .database(let path): try Self.sqlite(path, choices: choices, readOnly: readOnly, logger: logger)
        case .postgres(let url): try Self.postgres(url, choices: choices, readOnly: readOnly, logger: logger)
        case .redis(let url): try Self.redis(url, choices: choices, readOnly: readOnly, logger: logger)
        case .zookeeper(let url): try Self.zookeeper(url, choices: choices, readOnly: readOnly, logger: logger)
        case .consul(let url): try Self.consul(url, choices: choices, readOnly: readOnly, logger: logger)
        }
    }

    static func unusable(_ message: String) -> ElectionError { ElectionError(.invalidConfiguration, message) }

    private static let forms =
        "memory:, file:///directory, sqlite:///file.db, "
        + "postgres://user@host/database, redis://host, zookeeper://host:port/root or consul://host"

    private static func path(
        _ rest: Substring,
        _ scheme: String,
        _ example: String,
        _ source: String
    ) throws -> String {
        var rest = rest
        if rest.hasPrefix("//localhost/") { rest.removeFirst("//localhost".count) }
        if rest.hasPrefix("///") { rest.removeFirst(2) }
        guard rest.hasPrefix("/"), !rest.hasPrefix("//") else {
            throw Self.unusable(
                "\(source): \(scheme): needs an absolute path and no host, such as \(example)"
            )
        }
        guard !rest.contains("?"), !rest.contains("#") else {
            throw Self.unusable("\(source): write ? as %3F and # as %23 within the path of \(scheme):")
        }
        guard let path = percentDecoded(rest), !path.utf8.contains(0) else {
            throw Self.unusable(
                "\(source): a % in the path of \(scheme): must be followed by two hexadecimal digits"
            )
        }
        guard path.contains(where: { $0 != "/" }) else {
            throw Self.unusable("\(source): \(scheme): needs a path behind the slashes, such as \(example)")
        }
        return path
    }

    private static func percentDecoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let digits = String(rest.prefix(2)), digits.utf8.count == 2,
                digits.allSatisfy(\.isHexDigit), let value = UInt8(digits, radix: 16)
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// A text that may be repeated: cut short, and nothing of it if it looks as if it held a secret.
    private static func safe(_ text: String) -> String {
        if text.contains(where: { $0 == "@" || $0 == "?" || $0.isNewline }) { return "…" }
        return ElectionError.printable(String(text.prefix(40))) + (text.count > 40 ? "…" : "")
    }
}
