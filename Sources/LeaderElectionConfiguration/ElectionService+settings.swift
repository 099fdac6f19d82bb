// SPDX-License-Identifier: MIT
#if Configuration
public import Configuration
public import LeaderElection
public import Logging

extension ElectionConfiguration {
    /// Reads how to take part.
    ///
    /// Options that are not given have their defaults. That they fit together is checked by the service, as always.
    ///
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` that names the value, the option and where it
    ///   stands.
    public init(reading settings: ElectionSettings) throws {
        self = try settings.configuration
    }

    /// Reads how to take part from a reader scoped to where the options are, such as `reader.scoped(to: "elect")`.
    ///
    /// - Throws: as ``init(reading:)-(ElectionSettings)``.
    public init(reading reader: ConfigReader) throws {
        self = try ElectionSettings(reader).configuration
    }
}

extension HealthCheck {
    /// This check with the intervals and thresholds of the options that begin with `health-`.
    ///
    /// What is not given stays as it is.
    ///
    /// - Throws: as ``/LeaderElection/ElectionConfiguration/init(reading:)-(ElectionSettings)``.
    public func reading(_ settings: ElectionSettings) throws -> HealthCheck {
        try reading(settings.options)
    }
}

extension ElectionService {
    /// A candidate of which everything is configured: group, store, and how to take part.
    ///
    /// - Parameters:
    ///   - settings: where the options are.
    ///   - prepare: see ``/LeaderElection/ElectionConfiguration/prepare``, which only code can give.
    ///   - healthCheck: see ``/LeaderElection/ElectionConfiguration/healthCheck``, which only code can give; the options
    ///     that begin with `health-` win over its own intervals and thresholds.
    ///   - logger: where the service and its store tell what happens; nothing by default.
    /// - Throws: an ``/LeaderElection/ElectionError`` that names the value at fault.
    public init(
        reading settings: ElectionSettings,
        prepare: (@Sendable () async throws -> Void)? = nil,
        healthCheck: HealthCheck? = nil,
        logger: Logger = Logger(label: "leader-election") { _ in SwiftLogNoOpLogHandler() }
    ) throws {
        var configuration = try settings.configuration
        configuration.prepare = prepare
        if let healthCheck {
            configuration.healthCheck = try healthCheck.reading(settings)
        } else {
            try HealthCheck.refuseOptions(settings.options, without: "a healthCheck in the service's code")
        }
        try self.init(
            try settings.group,
            provider: try settings.provider(logger: logger),
            configuration: configuration,
            logger: logger
        )
    }
}
#endif
