// SPDX-License-Identifier: MIT

internal import LeaderElection
internal import LeaderElectionConfiguration

/// Options from all their sources: the command line wins over the environment, that over the file, that over defaults.
struct Settings: Sendable {
    /// Every option that a file may hold, by its long name; in the environment it is `ELECT_` with capitals and `_`.
    static let names = [
        "allow-network-file-system", "attempt-timeout", "candidate", "clock-drift-bound", "consul-token", "events",
        "grace-period", "group", "group-prefix", "groups", "health-check", "health-failure-threshold",
        "health-interval", "health-recovery-threshold", "health-timeout", "history", "http", "iterations", "json",
        "lease-duration", "metadata", "once", "postgres-channel", "postgres-create-table",
        "postgres-fails-over-asynchronously", "postgres-quarantine", "postgres-schema", "postgres-table", "prepare",
        "priority", "profile", "provider", "renew-interval", "retry-interval", "sample-interval", "shutdown-timeout",
        "sqlite-detect-process-death", "stand-down", "timeout", "to", "unlisted", "verbose",
    ]

    /// A value and the name under which its author knows it.
    struct Found: Sendable, Equatable {
        var texts: [String]
        var source: String
    }

    /// Environment and file, beneath what the command line says.
    let reader: OptionReader
    /// The file, if there is one.
    let path: String?

    /// - Parameter config: the file as named on the command line.
    init(config: String?, environment: [String: String]) throws {
        if let name = OptionNames.unknownVariable(in: environment, scope: "elect", known: Self.names) {
            throw CommandFailure.usage(
                "the environment variable \(name) is no option; unset it, or use "
                    + Self.names.map(Self.variable).joined(separator: ", ")
            )
        }
        let path = config ?? environment["ELECT_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        self.init(file: try path.map { try ConfigFile(path: $0) }, environment: environment, path: path)
    }

    init(file: ConfigFile?, environment: [String: String], path: String? = nil) {
        reader = OptionReader(environment: environment, scope: "elect", file: file?.file)
        self.path = path
    }

    static func variable(_ name: String) -> String { OptionNames.variable(name, scope: "elect") }

    /// The options as they are with what the command line says.
    func with(_ given: [String: [String]]) -> OptionReader {
        var reader = reader
        reader.given = given
        return reader
    }

    /// The value of an option, given what the command line says about it.
    func find(_ name: String, _ given: [String]) -> Found? {
        with([name: given]).find(name).map { Found(texts: $0.texts, source: $0.source) }
    }

    func text(_ name: String, _ given: String?) throws -> Found? {
        try read(name, given) { try $0.text(name).map { Found(texts: $0.texts, source: $0.source) } }
    }

    func flag(_ name: String, _ given: Bool) throws -> Bool {
        if given { return true }
        return try read(name, nil) { try $0.flag(name, default: false) }
    }

    func count(_ name: String, _ given: String?, in range: ClosedRange<Int>) throws -> Int? {
        try read(name, given) { try $0.count(name, in: range) }
    }

    func duration(_ name: String, _ given: String?, mayBeZero: Bool = false) throws -> Duration? {
        try read(name, given) { try $0.duration(name, mayBeZero: mayBeZero) }
    }

    func choice<Choice: RawRepresentable & CaseIterable>(
        _ name: String,
        _ given: String?,
        of type: Choice.Type
    ) throws -> Choice? where Choice.RawValue == String {
        try read(name, given) { try $0.choice(name, of: type) }
    }

    private func read<Value>(_ name: String, _ given: String?, _ body: (OptionReader) throws -> Value) throws -> Value {
        try CommandFailure.translating { try body(with(given.map { [name: [$0]] } ?? [:])) }
    }
}
