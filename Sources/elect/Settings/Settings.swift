// SPDX-License-Identifier: MIT

/// Options from all their sources: the command line wins over the environment, that over the file, that over defaults.
struct Settings: Sendable {
    /// Every option that a file may hold, by its long name; in the environment it is `ELECT_` with capitals and `_`.
    static let names = [
        "candidate", "events", "grace-period", "group", "group-prefix", "groups", "history", "http", "iterations",
        "json", "lease-duration", "metadata", "once", "priority", "profile", "provider", "renew-interval", "sample-interval",
        "shutdown-timeout", "stand-down", "timeout", "to", "unlisted", "verbose",
    ]

    /// A value and the name under which its author knows it.
    struct Found: Sendable, Equatable {
        var texts: [String]
        var source: String
    }

    private let environment: [String: String]
    private let file: ConfigFile?

    /// - Parameter config: the file as named on the command line.
    init(config: String?, environment: [String: String]) throws {
        self.environment = environment
        let path = config ?? environment["ELECT_CONFIG"]
        file = try path.map { try ConfigFile(path: $0) }
    }

    init(file: ConfigFile?, environment: [String: String]) {
        self.environment = environment
        self.file = file
    }

    static func variable(_ name: String) -> String {
        "ELECT_" + name.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
    }

    /// The value of an option, given what the command line says about it.
    func find(_ name: String, _ given: [String]) -> Found? {
        if !given.isEmpty { return Found(texts: given, source: "--\(name)") }
        let variable = Self.variable(name)
        if let text = environment[variable], !text.isEmpty { return Found(texts: [text], source: variable) }
        if let file, let texts = file.values[name], !texts.isEmpty {
            return Found(texts: texts, source: "\"\(name)\" in \(file.path)")
        }
        return nil
    }

    func text(_ name: String, _ given: String?) throws -> Found? {
        guard let found = find(name, given.map { [$0] } ?? []) else { return nil }
        guard found.texts.count == 1 else {
            throw CommandFailure.usage("\(found.source) has \(found.texts.count) values; give one")
        }
        return found
    }

    func flag(_ name: String, _ given: Bool) throws -> Bool {
        if given { return true }
        guard let found = try text(name, nil) else { return false }
        switch found.texts[0].lowercased() {
        case "true", "yes", "on", "1": return true
        case "false", "no", "off", "0": return false
        default: throw CommandFailure.usage("\(found.source): \"\(found.texts[0])\" is neither true nor false")
        }
    }

    func count(_ name: String, _ given: String?, in range: ClosedRange<Int>) throws -> Int? {
        guard let found = try text(name, given) else { return nil }
        guard let number = Int(found.texts[0]), range.contains(number) else {
            throw CommandFailure.usage(
                "\(found.source): \"\(found.texts[0])\" is not a number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return number
    }

    func duration(_ name: String, _ given: String?, mayBeZero: Bool = false) throws -> Duration? {
        guard let found = try text(name, given) else { return nil }
        guard let duration = DurationText.parse(found.texts[0]) else {
            throw CommandFailure.usage(
                "\(found.source): \"\(found.texts[0])\" is not a duration; use a number and a unit (ms, s, m, h), such as "
                    + "500ms or 10s"
            )
        }
        guard duration > .zero || mayBeZero else {
            throw CommandFailure.usage("\(found.source): \"\(found.texts[0])\" is zero; use a longer time")
        }
        return duration
    }

    func choice<Choice: RawRepresentable & CaseIterable>(
        _ name: String,
        _ given: String?,
        of type: Choice.Type
    ) throws -> Choice? where Choice.RawValue == String {
        guard let found = try text(name, given) else { return nil }
        guard let choice = Choice(rawValue: found.texts[0]) else {
            let allowed = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw CommandFailure.usage("\(found.source): \"\(found.texts[0])\" is not one of \(allowed)")
        }
        return choice
    }
}
