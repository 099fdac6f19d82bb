// SPDX-License-Identifier: MIT

package import LeaderElection

extension HealthCheck {
    /// This check with the intervals and thresholds that options tell; what they leave out stays as it is.
    ///
    /// - Throws: an error that names the value, the option and where it stands.
    package func reading(_ options: OptionReader) throws -> HealthCheck {
        var check = self
        if let value = try options.duration("health-interval") { check.interval = value }
        if let value = try options.duration("health-timeout") { check.timeout = value }
        if let value = try options.fraction("health-minimum-score", in: 0...1) { check.minimumScore = value }
        if let value = try options.fraction("health-recovery-score", in: 0...1) { check.recoveryScore = value }
        if let value = try options.count("health-failure-threshold", in: 1...1000) { check.failureThreshold = value }
        if let value = try options.count("health-recovery-threshold", in: 1...1000) { check.recoveryThreshold = value }
        return check
    }

    /// Refuses options of a check that there is not.
    ///
    /// - Parameter missing: what would have to be given.
    package static func refuseOptions(_ options: OptionReader, without missing: String) throws {
        for name in OptionNames.health {
            guard let found = options.find(name) else { continue }
            throw OptionReader.unusable("\(found.source) means nothing without \(missing); give that too, or neither")
        }
    }
}
