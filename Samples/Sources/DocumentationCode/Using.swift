// SPDX-License-Identifier: MIT

internal import AsyncAlgorithms
internal import Configuration
internal import LeaderElection
internal import LeaderElectionConfiguration
internal import LeaderElectionFileSystem
internal import LeaderElectionSQLite
internal import Logging
internal import ServiceLifecycle
internal import UnixSignals

// The code of README.md and of the articles, line by line; `scripts/docs` compares them.

func billNextBatch(fencedBy term: Int64) async throws {}
func migrate(fencedBy term: Int64) async throws {}
func run(_ job: String) async throws {}
func report(_ text: String) {}
func warmUpCaches() async throws {}
func pingDatabase() async throws -> Bool { true }

struct BillingWorker: Service {
    let election: ElectionService

    func run() async throws {
        try await election.whileLeader { leadership in
            while !Task.isCancelled { try await billNextBatch(fencedBy: leadership.term) }
        }
    }
}

func runInServiceGroup() async throws {
    let logger = Logger(label: "billing")
    let election = try ElectionService(
        "nightly-billing",
        provider: .sqlite(path: "/var/lib/app/election.db"),
        logger: logger
    )
    let worker = BillingWorker(election: election)
    let group = ServiceGroup(
        services: [election, worker],
        gracefulShutdownSignals: [.sigterm],
        logger: logger
    )
    try await group.run()
}

func chooseAStore() throws {
    let memory = InMemoryElectionProvider.inMemory
    let files = try FileSystemElectionProvider.fileSystem(directory: "/var/lib/app/elections")
    let sqlite = try SQLiteElectionProvider.sqlite(path: "/var/lib/app/election.db")
    _ = (memory, files, sqlite)
}

func configure() throws {
    var configuration = ElectionConfiguration(candidate: "web-1", leaseDuration: .seconds(5))
    configuration.metadata = ["address": "10.0.0.7:8080"]
    configuration.gracePeriod = .milliseconds(500)
    let election = try ElectionService(
        "nightly-billing",
        provider: .fileSystem(directory: "/var/lib/app/elections"),
        configuration: configuration
    )
    _ = election
}

func read(_ election: ElectionService) async throws {
    if election.isLeader { report("this process leads") }
    if let leadership = election.leadership {
        report("term \(leadership.term), for \(leadership.remaining) more if nothing renews it")
    }
    if let leader = election.leader { report("\(leader.id) leads in term \(leader.term)") }
}

func work(_ election: ElectionService, _ provider: SQLiteElectionProvider) async throws {
    let wasRun: Void? = try await election.runIfLeader { leadership in
        try await billNextBatch(fencedBy: leadership.term)
    }
    if wasRun == nil { report("another process leads") }

    try await provider.withLease("schema-migration", waitingUpTo: .seconds(30)) { lease in
        try await migrate(fencedBy: lease.term)
    }
}

func followChanges(_ election: ElectionService) async {
    for await change in election.changes {
        if change.lostLeadership { report("leads no more: \(change.reason)") }
        if change.becameLeader { report("leads in term \(change.term ?? 0)") }
    }
}

func filterChanges(_ election: ElectionService) async {
    // Only what concerns this candidate's own leadership.
    for await change in election.changes(of: [.acquired, .lost]) { report("\(change)") }

    // The first five changes in which somebody leads.
    for await change in election.changes.filter({ $0.leader != nil }).prefix(5) { report("\(change)") }

    // The first change with this candidate as leader.
    _ = await election.changes.first { $0.isLeader }

    // The name of the leader, once for each time that it changes; `removeDuplicates` is from AsyncAlgorithms.
    for await name in election.changes.map({ $0.leader?.id }).removeDuplicates() { report(name ?? "nobody") }
}

func followManyGroups(_ elections: [ElectionService]) async {
    for await event in ElectionEvents(of: elections) { report("\(event)") }
}

func operators(_ election: ElectionService, _ jobs: AsyncStream<String>) async throws {
    // Up to and including the change with which this candidate leads.
    for await change in election.changes.takeUntilLeader() { report("\(change)") }

    // For as long as one term lasts.
    for await change in election.changes.whileLeader() { report("\(change)") }

    // Jobs are taken only while this process leads; none is lost in between.
    for await job in jobs.whileLeader(election) { try await run(job) }
}

func handOver(_ election: ElectionService) async throws {
    var configuration = ElectionConfiguration.standard
    configuration.prepare = { try await warmUpCaches() }
    configuration.healthCheck = HealthCheck { try await pingDatabase() ? 1 : 0 }
    _ = configuration
    try await election.transfer(to: "host-b")
}

func askTheLeader(_ provider: some ElectionProvider) async throws {
    try await ElectionOperator(group: "nightly-billing", provider: provider).transfer(to: "host-b")
}

func configured(logger: Logger) throws -> ElectionService {
    let settings = try ElectionSettings(file: "/etc/billing.json")
    let election = try ElectionService(reading: settings, logger: logger)
    return election
}

func configuredByAReader() throws -> ElectionConfiguration {
    let reader = ConfigReader(provider: EnvironmentVariablesProvider())
    let configuration = try ElectionConfiguration(reading: reader.scoped(to: "elect"))
    return configuration
}
