// SPDX-License-Identifier: MIT

internal import ArgumentParser
internal import CElectCommand
internal import CElectionSystem
internal import LeaderElection
internal import LeaderElectionConfiguration
internal import Logging

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// Where the store is and where options come from: what every command understands.
struct StoreOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The store, such as file:///directory or postgres://user@host/db; elect --help has all.",
            valueName: "url"
        )
    )
    var provider: String?

    @Option(help: ArgumentHelp("Read options from this file, JSON or YAML.", valueName: "file"))
    var config: String?

    @OptionGroup(title: "Stores") var details: StoreDetailOptions

    func settings() throws -> Settings {
        try Settings(config: config, environment: Environment.variables)
    }

    func store(_ settings: Settings) throws -> ProviderURL {
        guard let found = try settings.text("provider", provider) else {
            throw CommandFailure.usage("no store; give --provider, such as --provider file:///var/lib/app/election")
        }
        var url = try ProviderURL(found.texts[0], source: found.source)
        try url.read(settings, details.given)
        return url
    }
}

/// How to take part in an election.
struct CandidateOptions: ParsableArguments {
    typealias Profile = ElectionProfile

    @Option(help: ArgumentHelp("This candidate's name; by default host, process and a random number.", valueName: "id"))
    var candidate: String?

    @Option(
        help: ArgumentHelp(
            "Published while leading, such as --metadata address=10.0.0.5:80. May be repeated.",
            valueName: "k=v"
        )
    )
    var metadata: [String] = []

    @Option(help: ArgumentHelp("How long a silent leader keeps the group. Default 10s.", valueName: "time"))
    var leaseDuration: String?

    @Option(help: ArgumentHelp("How often the lease is renewed. Default: a third of it.", valueName: "time"))
    var renewInterval: String?

    @Option(
        help: ArgumentHelp("How long a call to the store may take. Default: a sixth of a lease.", valueName: "time")
    )
    var attemptTimeout: String?

    @Option(
        help: ArgumentHelp(
            "How often one that waits looks although nothing was pushed. Default 30s, or a lease if longer.",
            valueName: "time"
        )
    )
    var retryInterval: String?

    @Option(help: ArgumentHelp("How far clocks may run apart, from 0 to 0.05. Default 0.001.", valueName: "share"))
    var clockDriftBound: String?

    @Option(help: ArgumentHelp("How long before its lease ends work is told to end.", valueName: "time"))
    var gracePeriod: String?

    @Option(help: ArgumentHelp("How long work may take to end after a stop. Default: a lease.", valueName: "time"))
    var shutdownTimeout: String?

    @Option(
        help: ArgumentHelp(
            "From -1000 to 1000: leaders hand over to listed candidates of higher priority. Default 0.",
            valueName: "n"
        )
    )
    var priority: String?

    @Flag(help: "Do not show others that this candidate waits; it then follows no operator's instruction either.")
    var unlisted = false

    @Option(help: "Timing for the impatient and the patient: fast (lease 3s), standard (10s), calm (30s).")
    var profile: String?

    @Option(help: "How events are told: json or text.")
    var events: String?

    @Flag(help: "Tell about renewals too, and about what stores find doubtful.")
    var verbose = false

    @Option(help: ArgumentHelp("Append all operations and events to this file, for audits.", valueName: "file"))
    var history: String?

    @Option(help: ArgumentHelp("Append to the history this often whether this candidate leads.", valueName: "time"))
    var sampleInterval: String?

    @Option(
        help: ArgumentHelp(
            "Serve /healthz, /readyz, /leader, /terms and /metrics there, such as 127.0.0.1:8086.",
            valueName: "host:port"
        )
    )
    var http: String?

    @OptionGroup(title: "Health and getting ready") var helpers: HelperOptions

    func configuration(_ settings: Settings) throws -> ElectionConfiguration {
        var given = ["metadata": metadata]
        given["profile"] = profile.map { [$0] }
        given["candidate"] = candidate.map { [$0] }
        given["lease-duration"] = leaseDuration.map { [$0] }
        given["renew-interval"] = renewInterval.map { [$0] }
        given["attempt-timeout"] = attemptTimeout.map { [$0] }
        given["retry-interval"] = retryInterval.map { [$0] }
        given["grace-period"] = gracePeriod.map { [$0] }
        given["shutdown-timeout"] = shutdownTimeout.map { [$0] }
        given["clock-drift-bound"] = clockDriftBound.map { [$0] }
        given["priority"] = priority.map { [$0] }
        given["unlisted"] = unlisted ? ["true"] : nil
        let options = settings.with(given)
        var configuration = try CommandFailure.translating { try ElectionConfiguration(reading: options) }
        configuration.healthCheck = try helpers.check(settings, candidate: configuration.candidate)
        return configuration
    }

    /// - Parameter isQuiet: standard output belongs to somebody else unless a format was asked for.
    func printer(_ settings: Settings, isQuiet: Bool = false) throws -> EventPrinter {
        let format = try settings.choice("events", events, of: EventPrinter.Format.self)
        return EventPrinter(
            format: format ?? .text,
            verbose: try settings.flag("verbose", verbose),
            descriptor: isQuiet && format == nil ? 2 : 1
        )
    }

    func statusPage(_ settings: Settings) throws -> StatusPage? {
        try settings.text("http", http).map { try StatusPage($0.texts[0], source: $0.source) }
    }

    func historyFile(_ settings: Settings) throws -> (file: HistoryFile, interval: Duration?)? {
        let interval = try settings.duration("sample-interval", sampleInterval)
        guard let found = try settings.text("history", history) else {
            guard interval == nil else {
                throw CommandFailure.usage("--sample-interval needs a file to write to; give --history too")
            }
            return nil
        }
        return (try HistoryFile(path: found.texts[0]), interval)
    }
}

enum Environment {
    static var variables: [String: String] {
        var result: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if let separator = text.firstIndex(of: "=") {
                result[String(text[..<separator])] = String(text[text.index(after: separator)...])
            }
            next += 1
        }
        return result
    }
}

extension Logger {
    /// What providers find doubtful, on standard error.
    static func forCommand(verbose: Bool) -> Logger {
        var logger = Logger(label: "elect") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = verbose ? .info : .warning
        return logger
    }
}
