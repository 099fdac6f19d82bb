// SPDX-License-Identifier: MIT

package import LeaderElection

/// Timing that goes together.
package enum ElectionProfile: String, CaseIterable, Sendable {
    case fast
    case standard
    case calm
}

extension ElectionConfiguration {
    private enum Part: String, CaseIterable {
        case candidate
        case observer
    }

    /// The configuration that options tell; what they leave out has its default.
    ///
    /// - Throws: an error that names the value, the option and where it stands.
    package init(reading options: OptionReader) throws {
        self =
            switch try options.choice("profile", of: ElectionProfile.self) {
            case .fast: .fast
            case .calm: .calm
            case .standard, nil: .standard
            }
        if let found = try options.text("candidate") { candidate = found.texts[0] }
        metadata = try Self.metadata(options)
        if let part = try options.choice("participation", of: Part.self) {
            participation = part == .observer ? .observer : .candidate
        }
        isListed = try !options.flag("unlisted", default: false)
        if let value = try options.count("priority", in: -1000...1000) { priority = value }
        if let value = try options.duration("lease-duration") { leaseDuration = value }
        renewInterval = try options.duration("renew-interval")
        attemptTimeout = try options.duration("attempt-timeout")
        if let value = try options.duration("grace-period", mayBeZero: true) { gracePeriod = value }
        retryInterval = try options.duration("retry-interval")
        shutdownTimeout = try options.duration("shutdown-timeout", mayBeZero: true)
        if let value = try options.fraction("clock-drift-bound", in: 0...0.05) { clockDriftBound = value }
    }

    private static func metadata(_ options: OptionReader) throws -> [String: String] {
        var metadata: [String: String] = [:]
        guard let found = try options.list("metadata") else { return metadata }
        // No value can hold the end of a line, so several pairs fit into one variable.
        let pairs = found.texts.flatMap { text in
            let lines = text.split(separator: "\n").map { String($0) }
            return lines.isEmpty ? [text] : lines
        }
        for text in pairs {
            guard let separator = text.firstIndex(of: "="), separator > text.startIndex else {
                throw OptionReader.unusable("\(found.source): \"\(text)\" is not of the form key=value")
            }
            let key = String(text[..<separator])
            guard metadata[key] == nil else {
                throw OptionReader.unusable("\(found.source): the key \"\(key)\" is given twice")
            }
            metadata[key] = String(text[text.index(after: separator)...])
        }
        return metadata
    }
}
