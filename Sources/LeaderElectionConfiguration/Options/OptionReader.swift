// SPDX-License-Identifier: MIT
#if Configuration
package import Configuration
internal import Synchronization

/// Options by their names, out of providers of swift-configuration: the first that has a value wins.
package struct OptionReader: Sendable {
    /// Where options come from, and what an option of it is called towards people.
    package struct Source: Sendable {
        package enum Naming: Sendable {
            /// As the provider itself encodes a key: `ELECT_LEASE_DURATION`, `--elect-lease-duration`.
            case encodedKey
            /// By key and file.
            case file(String)
            /// By key and the provider's name.
            case provider
        }

        let provider: any ConfigProvider
        let naming: Naming

        package init(_ provider: any ConfigProvider, _ naming: Naming) {
            self.provider = provider
            self.naming = naming
        }
    }

    private let reader: ConfigReader
    /// What happened to each look-up; nil for a reader that somebody else made.
    private let trace: LookupTrace?
    private let sources: [Source]
    /// What a command line says that was parsed elsewhere; wins over everything.
    package var given: [String: [String]] = [:]

    /// - Parameter scope: what the keys stand within, or nil.
    package init(_ sources: [Source], scope: String?, reporter: (any AccessReporter)? = nil) {
        let trace = LookupTrace(reporter)
        let all = ConfigReader(
            // A reader needs one provider at least.
            providers: sources.isEmpty ? [InMemoryProvider(values: [:])] : sources.map(\.provider),
            accessReporter: trace
        )
        reader = scope.map { all.scoped(to: ConfigKey([$0])) } ?? all
        self.trace = trace
        self.sources = sources
    }

    package init(_ reader: ConfigReader) {
        self.reader = reader
        trace = nil
        sources = []
    }

    /// The options of a command line that was parsed elsewhere, of the environment, and of a file.
    package init(environment: [String: String], scope: String, file: OptionFile?) {
        var sources = [
            Source(Self.environment(environment, scope: scope).prefixKeys(with: ConfigKey([scope])), .encodedKey)
        ]
        if let file { sources.append(Source(file, .file(file.path))) }
        self.init(sources, scope: nil)
    }

    /// The variables of a scope that are not empty.
    package static func environment(_ variables: [String: String], scope: String) -> EnvironmentVariablesProvider {
        let prefix = OptionNames.variable("", scope: scope)
        return EnvironmentVariablesProvider(
            environmentVariables: variables.filter { $0.key.hasPrefix(prefix) && !$0.value.isEmpty },
            // No variable can hold this, so a comma within a text does not divide it.
            arraySeparator: "\u{0}"
        )
    }

    /// The value of an option, whatever its type, as text; no text if it is of a type that cannot be one.
    package func find(_ name: String) -> Found? {
        if let texts = given[name], !texts.isEmpty { return Found(texts: texts, source: "--\(name)") }
        let key = ConfigKey([name])
        let isSecret = OptionNames.secret.contains(name)
        if name == "metadata" || name == "group" {
            if let found = found(name, reader.stringArray(forKey: key, isSecret: isSecret)) { return found }
            if trace?.isAbsent(name) == true { return nil }
        }
        if let text = reader.string(forKey: key, isSecret: isSecret) { return found(name, [text]) }
        if trace?.isAbsent(name) == true { return nil }
        if let number = reader.int(forKey: key, isSecret: isSecret) { return found(name, ["\(number)"]) }
        if let number = reader.double(forKey: key, isSecret: isSecret) { return found(name, ["\(number)"]) }
        if let flag = reader.bool(forKey: key, isSecret: isSecret) { return found(name, ["\(flag)"]) }
        if let texts = reader.stringArray(forKey: key, isSecret: isSecret) { return found(name, texts) }
        if let numbers = reader.intArray(forKey: key, isSecret: isSecret) {
            return found(name, numbers.map { "\($0)" })
        }
        return trace?.hasFailed(name) == true ? Found(texts: [], source: source(of: name)) : nil
    }

    private func found(_ name: String, _ texts: [String]?) -> Found? {
        guard let texts, !texts.isEmpty else { return nil }
        return Found(texts: texts, source: source(of: name))
    }

    private func source(of name: String) -> String {
        guard let trace, let place = trace.place(of: name), place.index < sources.count else {
            return "\"\(name)\" of \(reader)"
        }
        let source = sources[place.index]
        switch source.naming {
        case .encodedKey: return place.encodedKey
        case .file(let path): return "\"\(place.encodedKey)\" in \(path)"
        case .provider: return "\"\(place.encodedKey)\" of \(source.provider.providerName)"
        }
    }
}

/// Remembers which provider had a value, and passes reports of access on.
private final class LookupTrace: AccessReporter {
    struct Place {
        var index: Int
        var encodedKey: String
        var outcome: Outcome
    }

    enum Outcome {
        case absent
        case found
        case failed
    }

    private let places = Mutex<[String: Place]>([:])
    private let next: (any AccessReporter)?

    init(_ next: (any AccessReporter)?) { self.next = next }

    func report(_ event: AccessEvent) {
        defer { next?.report(event) }
        guard let name = event.metadata.key.components.last else { return }
        var place = Place(index: 0, encodedKey: name, outcome: .absent)
        for (index, provider) in event.providerResults.enumerated() where place.outcome == .absent {
            switch provider.result {
            case .success(let lookup) where lookup.value != nil:
                place = Place(index: index, encodedKey: lookup.encodedKey, outcome: .found)
            case .success: continue
            case .failure:
                place = Place(index: index, encodedKey: "\(event.metadata.key)", outcome: .failed)
            }
        }
        places.withLock { $0[name] = place }
    }

    func place(of name: String) -> Place? { places.withLock { $0[name] } }
    func isAbsent(_ name: String) -> Bool { place(of: name)?.outcome == .absent }
    func hasFailed(_ name: String) -> Bool { place(of: name)?.outcome == .failed }
}
#endif
