// SPDX-License-Identifier: MIT

internal import LeaderElection

extension OptionReader {
    /// A value and the name under which its author knows it.
    package struct Found: Sendable, Equatable {
        package var texts: [String]
        package var source: String

        package init(texts: [String], source: String) {
            self.texts = texts
            self.source = source
        }

        /// The one text, as messages may repeat it.
        var shown: String { "\"\(ElectionError.printable(String(texts[0].prefix(60))))\"" }
    }

    /// At least one value, or none.
    package func list(_ name: String) throws -> Found? {
        guard let found = find(name) else { return nil }
        guard !found.texts.isEmpty else {
            throw Self.unusable("\(found.source) is of a type that the option cannot have; give a text")
        }
        return found
    }

    /// One value, or none.
    package func text(_ name: String) throws -> Found? {
        guard let found = try list(name) else { return nil }
        guard found.texts.count == 1 else {
            throw Self.unusable("\(found.source) has \(found.texts.count) values; give one")
        }
        return found
    }

    package func flag(_ name: String, default standard: Bool) throws -> Bool {
        guard let found = try text(name) else { return standard }
        switch found.texts[0].lowercased() {
        case "true", "yes", "on", "1": return true
        case "false", "no", "off", "0": return false
        default: throw Self.unusable("\(found.source): \(found.shown) is neither true nor false")
        }
    }

    package func count(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
        guard let found = try text(name) else { return nil }
        guard let number = Int(found.texts[0]), range.contains(number) else {
            throw Self.unusable(
                "\(found.source): \(found.shown) is not a number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return number
    }

    package func fraction(_ name: String, in range: ClosedRange<Double>) throws -> Double? {
        guard let found = try text(name) else { return nil }
        guard let number = Double(found.texts[0]), range.contains(number) else {
            throw Self.unusable(
                "\(found.source): \(found.shown) is not a number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return number
    }

    package func duration(_ name: String, mayBeZero: Bool = false) throws -> Duration? {
        guard let found = try text(name) else { return nil }
        guard let duration = DurationText.parse(found.texts[0]) else {
            throw Self.unusable(
                "\(found.source): \(found.shown) is not a duration; use a number and a unit (ms, s, m, h), such as "
                    + "500ms or 10s"
            )
        }
        guard duration > .zero || mayBeZero else {
            throw Self.unusable("\(found.source): \(found.shown) is zero; use a longer time")
        }
        return duration
    }

    package func choice<Choice: RawRepresentable & CaseIterable>(
        _ name: String,
        of type: Choice.Type
    ) throws -> Choice? where Choice.RawValue == String {
        guard let found = try text(name) else { return nil }
        guard let choice = Choice(rawValue: found.texts[0]) else {
            let allowed = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw Self.unusable("\(found.source): \(found.shown) is not one of \(allowed)")
        }
        return choice
    }

    static func unusable(_ message: String) -> ElectionError { ElectionError(.invalidConfiguration, message) }
}

extension ElectionError {
    /// What others wrote, without what could move a terminal's cursor.
    static func printable(_ text: String) -> String {
        text.unicodeScalars.map { scalar in
            scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) ? "\u{FFFD}" : String(scalar)
        }.joined()
    }
}
