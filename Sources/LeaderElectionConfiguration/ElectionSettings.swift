// SPDX-License-Identifier: MIT
#if Configuration
public import Configuration
public import LeaderElection
public import Logging

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// Every option of an election and of its store, from the command line, the environment and a file.
///
/// An option has the same name everywhere: `lease-duration` is `--elect-lease-duration` on the command line,
/// `ELECT_LEASE_DURATION` in the environment, and `"lease-duration"` within the object `"elect"` of a file.
/// The command line wins over the environment, the environment over the file.
///
/// ```swift
/// let settings = try ElectionSettings(file: "/etc/billing.json")
/// let election = try ElectionService(reading: settings)
/// ```
///
/// Errors are of code ``/LeaderElection/ElectionError/Code/invalidConfiguration`` and name the value, the option and
/// where it stands. The store's URL and its token are secrets: they are in no message and in no report of access.
public struct ElectionSettings: Sendable {
    let options: OptionReader

    /// Command line, environment and file, of which every option is known.
    ///
    /// - Parameters:
    ///   - file: a JSON file, or a YAML file if its name ends in `.yaml` or `.yml`; nil for the one that `config` names
    ///     on the command line or in the environment, or for none.
    ///   - arguments: the command line. What does not begin with `--elect-` is not looked at.
    ///   - environment: the environment. What does not begin with `ELECT_` is not looked at.
    ///   - scope: what takes the place of `elect` in all these names: letters and digits, the first one a letter.
    ///   - reporter: told of every access, with secrets left out.
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` for an option that does not exist, a file
    ///   that cannot be read or understood, and a key that stands in it twice.
    public init(
        file: String? = nil,
        arguments: [String] = CommandLine.arguments,
        environment: [String: String] = ProcessInfo.processInfo.environment,
        scope: String = "elect",
        reporter: (any AccessReporter)? = nil
    ) throws {
        try Self.check(scope)
        let known = OptionNames.service
        if let name = OptionNames.unknownVariable(in: environment, scope: scope, known: known) {
            throw OptionReader.unusable("the environment variable \(name) is no option; use \(Self.list(known))")
        }
        let prefix = "--\(scope)-"
        for argument in arguments.dropFirst() where argument.hasPrefix(prefix) {
            let name = argument.dropFirst(prefix.count).prefix { $0 != "=" }
            guard name == "config" || known.contains(String(name)) else {
                throw OptionReader.unusable("\(prefix)\(name) is no option; use \(Self.list(known))")
            }
        }
        var sources = [
            OptionReader.Source(CommandLineArgumentsProvider(arguments: arguments), .encodedKey),
            OptionReader.Source(OptionReader.environment(environment, scope: scope), .encodedKey),
        ]
        if let path = try file ?? OptionReader(sources, scope: scope).text("config")?.texts[0] {
            let file = try OptionFile(path: path, scope: scope, known: known)
            sources.append(OptionReader.Source(file, .file(path)))
        }
        options = OptionReader(sources, scope: scope, reporter: reporter)
    }

    /// Providers of swift-configuration, the first of them first.
    ///
    /// Values may be of any type that can be written as text; metadata is a list of `key=value`. A provider does not tell
    /// which keys it has, so one that no option is called by cannot be refused here.
    public init(
        providers: [any ConfigProvider],
        scope: String = "elect",
        reporter: (any AccessReporter)? = nil
    ) throws {
        try Self.check(scope)
        options = OptionReader(providers.map { OptionReader.Source($0, .provider) }, scope: scope, reporter: reporter)
    }

    /// A reader that the service has already, scoped to where the options are, such as `reader.scoped(to: "elect")`.
    ///
    /// A reader does not tell which of its providers a value is from, so errors name all of them; nor which keys it has,
    /// so one that no option is called by cannot be refused here.
    public init(_ reader: ConfigReader) {
        options = OptionReader(reader)
    }

    /// The name of the election.
    ///
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` if there is none or more than one.
    public var group: String {
        get throws {
            guard let found = try options.text("group") else {
                throw OptionReader.unusable("no group; give group, the name of the election")
            }
            return found.texts[0]
        }
    }

    /// How to take part.
    ///
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration``.
    public var configuration: ElectionConfiguration {
        get throws { try ElectionConfiguration(reading: options) }
    }

    /// The store that `provider` names, with the options that belong to it.
    ///
    /// The build holds the stores whose traits are on.
    ///
    /// - Parameter logger: told what weakens the store's guarantees.
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` for a URL that cannot be used, an option that
    ///   means nothing to the store, and what the store itself refuses.
    public func provider(
        logger: Logger = Logger(label: "leader-election") { _ in SwiftLogNoOpLogHandler() }
    ) throws -> any ElectionProvider {
        try StoreURL(reading: options).provider(readOnly: false, logger: logger)
    }

    private static func check(_ scope: String) throws {
        let isPlain = scope.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) }
        guard isPlain, let first = scope.utf8.first, first >= 0x61 else {
            throw OptionReader.unusable(
                "the scope \"\(scope)\" is not a name of small letters and digits, such as elect"
            )
        }
    }

    private static func list(_ known: [String]) -> String { known.joined(separator: ", ") }
}
#endif
