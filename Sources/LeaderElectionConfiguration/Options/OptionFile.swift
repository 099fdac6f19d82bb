// SPDX-License-Identifier: MIT
#if Configuration
package import Configuration
internal import LeaderElection

#if canImport(FoundationEssentials)
package import FoundationEssentials
#else
package import Foundation
#endif

/// Options out of a JSON or YAML file, checked as a whole; a provider of swift-configuration.
///
/// Not that package's own files, because they do not tell which keys they hold: a typo could not be refused.
package struct OptionFile: ConfigProvider, ConfigSnapshot {
    package let path: String
    /// What options are called there, and their values.
    package let values: [String: [String]]

    /// Reads the file.
    ///
    /// - Parameters:
    ///   - scope: the object that holds the options, beside those of others; nil if the file is only about them.
    ///   - known: every option that there is.
    /// - Throws: an error that names the file, and the key at fault.
    package init(path: String, scope: String?, known: [String]) throws {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw OptionReader.unusable("cannot read \(path); check that it exists and is readable")
        }
        try self.init(path: path, data: data, scope: scope, known: known)
    }

    package init(path: String, data: Data, scope: String?, known: [String]) throws {
        self.path = path
        let isYAML = [".yaml", ".yml"].contains { path.lowercased().hasSuffix($0) }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw OptionReader.unusable("\(path) is not a text in UTF-8")
        }
        var object = isYAML ? try OptionFileValue.yaml(text, path: path) : try OptionFileValue.json(text, path: path)
        if let scope {
            guard case .object(let inner)? = object[scope] else {
                throw OptionReader.unusable("\(path) has no object \"\(scope)\", which is to hold the options")
            }
            object = inner
        }
        for key in object.keys.sorted() where !known.contains(key) {
            throw OptionReader.unusable(
                "\(path) has the unknown key \"\(ElectionError.printable(key))\"; use \(known.joined(separator: ", "))"
            )
        }
        let prefix = scope.map { "\($0)." } ?? ""
        var values: [String: [String]] = [:]
        for (key, value) in object {
            guard let texts = key == "metadata" ? value.textsOfMetadata : value.texts else {
                throw OptionFileValue.wrongShape(path, isYAML: isYAML, key: key)
            }
            values[prefix + key] = texts
        }
        self.values = values
    }

    // MARK: swift-configuration

    package var providerName: String { path }

    package func value(forKey key: AbsoluteConfigKey, type: ConfigType) throws -> LookupResult {
        let name = key.components.joined(separator: ".")
        guard let texts = values[name] else { return LookupResult(encodedKey: name, value: nil) }
        let content: ConfigContent? =
            switch type {
            case .stringArray: .stringArray(texts)
            case .string where texts.count == 1: .string(texts[0])
            case .int where texts.count == 1: Int(texts[0]).map { .int($0) }
            case .double where texts.count == 1: Double(texts[0]).map { .double($0) }
            case .bool where texts.count == 1: Bool(texts[0]).map { .bool($0) }
            default: nil
            }
        guard let content else { throw OptionReader.unusable("\"\(name)\" in \(path) is not of type \(type.rawValue)") }
        let isSecret = key.components.last.map(OptionNames.secret.contains) ?? false
        return LookupResult(encodedKey: name, value: ConfigValue(content, isSecret: isSecret))
    }

    package func fetchValue(forKey key: AbsoluteConfigKey, type: ConfigType) async throws -> LookupResult {
        try value(forKey: key, type: type)
    }

    package func watchValue<Return: ~Copyable>(
        forKey key: AbsoluteConfigKey,
        type: ConfigType,
        updatesHandler: (
            _ updates: ConfigUpdatesAsyncSequence<Result<LookupResult, any Error>, Never>
        ) async throws -> Return
    ) async throws -> Return {
        try await watchValueFromValue(forKey: key, type: type, updatesHandler: updatesHandler)
    }

    package func snapshot() -> any ConfigSnapshot { self }

    package func watchSnapshot<Return: ~Copyable>(
        updatesHandler: (_ updates: ConfigUpdatesAsyncSequence<any ConfigSnapshot, Never>) async throws -> Return
    ) async throws -> Return {
        try await watchSnapshotFromSnapshot(updatesHandler: updatesHandler)
    }
}
#endif
