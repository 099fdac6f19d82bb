// SPDX-License-Identifier: MIT
#if Configuration
import Configuration
import Foundation
import LeaderElection
import Synchronization
import Testing

@testable import LeaderElectionConfiguration

@Suite(.timeLimit(.minutes(2))) struct ElectionSettingsTests {
    @Test func theCommandLineWinsOverTheEnvironmentAndThatOverTheFile() throws {
        let file = try TemporaryFile(
            #"{"elect": {"candidate": "file", "group": "file", "lease-duration": "7s", "priority": 3}, "other": 1}"#
        )
        let settings = try ElectionSettings(
            file: file.path,
            arguments: ["app", "--elect-candidate", "line", "--verbose"],
            environment: ["ELECT_CANDIDATE": "environment", "ELECT_GROUP": "environment", "HOME": "/"]
        )
        #expect(try settings.configuration.candidate == "line")
        #expect(try settings.group == "environment")
        #expect(try settings.configuration.leaseDuration == .seconds(7))
        #expect(try settings.configuration.priority == 3)
    }

    @Test func everyOptionIsReadFromEverySource() throws {
        let values = [
            "profile": "fast", "candidate": "me", "participation": "observer", "unlisted": "true", "priority": "-4",
            "lease-duration": "8s", "renew-interval": "1s", "attempt-timeout": "500ms", "grace-period": "100ms",
            "retry-interval": "20s", "shutdown-timeout": "0s", "clock-drift-bound": "0.01", "metadata": "zone=a",
        ]
        // Nothing may be left out here without being noticed.
        #expect(values.keys.sorted() == OptionNames.candidate.sorted())
        let json = try TemporaryFile(
            #"{"elect": \#(String(decoding: try JSONEncoder().encode(values), as: UTF8.self))}"#
        )
        let all = [
            try ElectionSettings(file: json.path, arguments: [], environment: [:]),
            try ElectionSettings(
                arguments: [],
                environment: Dictionary(
                    uniqueKeysWithValues: values.map { (OptionNames.variable($0.key, scope: "elect"), $0.value) }
                )
            ),
            try ElectionSettings(
                arguments: ["app"] + values.sorted { $0.key < $1.key }.flatMap { ["--elect-\($0.key)", $0.value] },
                environment: [:]
            ),
            try ElectionSettings(
                providers: [
                    InMemoryProvider(
                        values: Dictionary(
                            uniqueKeysWithValues: values.map {
                                (AbsoluteConfigKey(["elect", $0.key]), ConfigValue(.string($0.value), isSecret: false))
                            }
                        )
                    )
                ]
            ),
        ]
        for settings in all {
            let read = try ElectionConfiguration(reading: settings)
            #expect(read.candidate == "me")
            #expect(read.participation == .observer)
            #expect(!read.isListed)
            #expect(read.priority == -4)
            #expect(read.leaseDuration == .seconds(8))
            #expect(read.renewInterval == .seconds(1))
            #expect(read.attemptTimeout == .milliseconds(500))
            #expect(read.gracePeriod == .milliseconds(100))
            #expect(read.retryInterval == .seconds(20))
            #expect(read.shutdownTimeout == .zero)
            #expect(read.clockDriftBound == 0.01)
            #expect(read.metadata == ["zone": "a"])
        }
    }

    @Test func aHealthCheckTakesItsTimesAndThresholdsFromOptions() throws {
        let values = [
            "health-failure-threshold": "5", "health-interval": "9s", "health-minimum-score": "0.2",
            "health-recovery-score": "0.4", "health-recovery-threshold": "6", "health-timeout": "3s",
        ]
        #expect(values.keys.sorted() == OptionNames.health)
        let settings = try ElectionSettings(
            arguments: [],
            environment: Dictionary(
                uniqueKeysWithValues: values.map { (OptionNames.variable($0.key, scope: "elect"), $0.value) }
            )
        )
        let check = try HealthCheck { 1 }.reading(settings)
        #expect(check.failureThreshold == 5 && check.recoveryThreshold == 6)
        #expect(check.interval == .seconds(9) && check.timeout == .seconds(3))
        #expect(check.minimumScore == 0.2 && check.recoveryScore == 0.4)
        #expect(
            try HealthCheck { 1 }.reading(ElectionSettings(arguments: [], environment: [:])).interval == .seconds(5)
        )
    }

    @Test func optionsOfAHealthCheckThatIsNotThereAreRefused() throws {
        let environment = ["ELECT_GROUP": "g", "ELECT_PROVIDER": "memory:", "ELECT_HEALTH_INTERVAL": "1s"]
        let settings = try ElectionSettings(arguments: [], environment: environment)
        let message = refusal { _ = try ElectionService(reading: settings) }
        #expect(message.hasPrefix("ELECT_HEALTH_INTERVAL means nothing without"), "\(message)")
        _ = try ElectionService(reading: settings, healthCheck: HealthCheck { 1 })
    }

    @Test func errorsNameValueOptionAndSource() throws {
        let file = try TemporaryFile(#"{"elect": {"lease-duration": 10, "priority": "high"}}"#)
        let settings = try ElectionSettings(
            file: file.path,
            arguments: ["app", "--elect-profile", "quick"],
            environment: ["ELECT_RENEW_INTERVAL": "often"]
        )
        #expect(refusal { _ = try settings.configuration }.hasPrefix("--elect-profile: \"quick\" is not one of fast"))
        #expect(
            refusal { _ = try settings.options.duration("lease-duration") }
                .hasPrefix("\"elect.lease-duration\" in \(file.path): \"10\" is not a duration")
        )
        #expect(
            refusal { _ = try settings.options.count("priority", in: 0...1) }
                .hasPrefix("\"elect.priority\" in \(file.path): \"high\" is not a number")
        )
        #expect(
            refusal { _ = try settings.options.duration("renew-interval") }
                .hasPrefix("ELECT_RENEW_INTERVAL: \"often\"")
        )
        #expect(refusal { _ = try settings.group }.contains("no group"))
    }

    @Test func whatIsUnknownIsRefusedWhereSourcesTell() throws {
        let file = try TemporaryFile(#"{"elect": {"lease_duration": "10s"}}"#)
        let inFile = refusal { _ = try ElectionSettings(file: file.path, arguments: [], environment: [:]) }
        #expect(inFile.contains(file.path) && inFile.contains("\"lease_duration\""))
        let environment = ["ELECT_LEASE_DURATON": "10s"]
        #expect(
            refusal { _ = try ElectionSettings(arguments: [], environment: environment) }
                .contains("ELECT_LEASE_DURATON")
        )
        #expect(
            refusal { _ = try ElectionSettings(arguments: ["app", "--elect-leese=1s"], environment: [:]) }
                .contains("--elect-leese")
        )
        #expect(
            refusal { _ = try ElectionSettings(file: "/nowhere/x.json", arguments: [], environment: [:]) }
                .contains("/nowhere/x.json")
        )
        let strange = try TemporaryFile(#"{"elekt": {}}"#)
        #expect(
            refusal { _ = try ElectionSettings(file: strange.path, arguments: [], environment: [:]) }
                .contains("no object \"elect\"")
        )
    }

    @Test func flagsAndListsOfACommandLine() throws {
        let settings = try ElectionSettings(
            arguments: ["app", "--elect-unlisted", "--elect-metadata", "a=b", "c=d", "--elect-group", "g", "h"],
            environment: [:]
        )
        #expect(try !settings.configuration.isListed)
        #expect(try settings.configuration.metadata == ["a": "b", "c": "d"])
        #expect(refusal { _ = try settings.group } == "--elect-group has 2 values; give one")
    }

    @Test func aVariableHoldsSeveralPairsOfMetadata() throws {
        func metadata(_ text: String) throws -> [String: String] {
            try ElectionSettings(arguments: [], environment: ["ELECT_METADATA": text]).configuration.metadata
        }
        #expect(try metadata("zone=a,b\naddress=h:80\n") == ["zone": "a,b", "address": "h:80"])
        #expect(
            refusal { _ = try metadata("zone=a\naddress") }.hasPrefix("ELECT_METADATA: \"address\" is not of the form")
        )
        #expect(refusal { _ = try metadata("zone=a\nzone=b") }.hasPrefix("ELECT_METADATA: the key \"zone\""))
    }

    @Test func variablesOfOthersAreLeftAlone() throws {
        let others = [
            "ELECT_TERM": "7", "ELECT_SERVICE_HOST": "10.0.0.1", "ELECT_PORT": "tcp://10.0.0.1:80",
            "ELECT_PORT_80_TCP_ADDR": "10.0.0.1", "ELECTION_LEASE": "x", "ELECT_GROUP": "",
        ]
        _ = try ElectionSettings(arguments: [], environment: others).configuration
    }

    @Test func aKeyThatStandsTwiceIsRefused() throws {
        let twice = try TemporaryFile(#"{"elect": {"priority": 1, "priori\u0074y": 2}}"#)
        let told = refusal { _ = try ElectionSettings(file: twice.path, arguments: [], environment: [:]) }
        #expect(told.contains("\"priority\" twice"))
        let apart = try TemporaryFile(
            #"{"elect": {"metadata": {"priority": "1,{"}, "priority": 2, "group": ["priority"]}}"#
        )
        #expect(
            try ElectionSettings(file: apart.path, arguments: [], environment: [:]).configuration.metadata == [
                "priority": "1,{"
            ]
        )
    }

    @Test func aReaderThatIsThereAlreadyServesToo() throws {
        let reader = ConfigReader(
            provider: InMemoryProvider(values: [
                "election.lease-duration": "5s", "election.priority": 12, "election.unlisted": true,
                "election.clock-drift-bound": 0.002,
                "election.metadata": ConfigValue(.stringArray(["a=b", "c=d"]), isSecret: false),
            ])
        )
        let read = try ElectionConfiguration(reading: reader.scoped(to: "election"))
        #expect(read.leaseDuration == .seconds(5))
        #expect(read.priority == 12)
        #expect(!read.isListed)
        #expect(read.clockDriftBound == 0.002)
        #expect(read.metadata == ["a": "b", "c": "d"])
        #expect(refusal { _ = try ElectionSettings(reader).configuration } == "nothing was thrown")
        let wrong = ConfigReader(provider: InMemoryProvider(name: "vault", values: ["priority": "much"]))
        let told = refusal { _ = try ElectionConfiguration(reading: wrong) }
        #expect(told.contains("\"priority\"") && told.contains("vault") && told.contains("\"much\""))
    }

    /// Every report of access, as somebody would write it to a log.
    private final class Reports: AccessReporter {
        let texts = Mutex<[String]>([])
        func report(_ event: AccessEvent) { texts.withLock { $0.append("\(event) \(event.providerResults)") } }
    }

    @Test func secretsAreInNoReportAndInNoMessage() throws {
        let reports = Reports()
        let file = try TemporaryFile(#"{"elect": {"consul-token": "hunter2"}}"#)
        let settings = try ElectionSettings(
            file: file.path,
            arguments: [],
            environment: ["ELECT_PROVIDER": "mysql://user:hunter2@host/db", "ELECT_GROUP": "g"],
            reporter: reports
        )
        #expect(refusal { _ = try settings.provider() }.hasPrefix("ELECT_PROVIDER: "))
        #expect(!refusal { _ = try settings.provider() }.contains("hunter2"))
        _ = try settings.options.text("consul-token")
        _ = try settings.group
        let told = reports.texts.withLock { $0 }
        #expect(told.contains { $0.contains("elect.provider") } && told.contains { $0.contains("elect.consul-token") })
        #expect(told.contains { $0.contains("elect.group") })
        #expect(!told.contains { $0.contains("hunter2") })
    }

    @Test func aServiceIsMadeOfWhatIsConfigured() async throws {
        let settings = try ElectionSettings(
            arguments: [],
            environment: ["ELECT_GROUP": "g", "ELECT_PROVIDER": "memory:", "ELECT_CANDIDATE": "me"]
        )
        let election = try ElectionService(reading: settings)
        #expect(election.group.name == "g")
        try await withElection(election) { election in
            let leadership = try await election.waitForLeadership()
            #expect(leadership.candidate == "me")
        }
    }

    @Test(arguments: ["", "Elect", "elect-ion", "7", "a.b"])
    func aScopeIsOneSimpleName(scope: String) {
        #expect(
            refusal { _ = try ElectionSettings(arguments: [], environment: [:], scope: scope) }.contains("the scope")
        )
    }

    @Test func anotherScopeHasNamesOfItsOwn() throws {
        let settings = try ElectionSettings(
            arguments: ["app", "--billing-priority", "5", "--elect-nonsense"],
            environment: ["BILLING_GROUP": "b", "ELECT_NONSENSE": "x", "ELECT_GROUP": "e"],
            scope: "billing"
        )
        #expect(try settings.group == "b")
        #expect(try settings.configuration.priority == 5)
    }

    @Test func anOptionOfAnotherStoreIsRefused() throws {
        let settings = try ElectionSettings(
            arguments: [],
            environment: ["ELECT_PROVIDER": "memory:", "ELECT_POSTGRES_TABLE": "lease"]
        )
        #expect(refusal { _ = try settings.provider() }.hasPrefix("ELECT_POSTGRES_TABLE means nothing to memory:"))
    }
}
#endif
