// SPDX-License-Identifier: MIT

#if HTTP
import Foundation
import LeaderElection
import LeaderElectionHTTP
import LeaderElectionTesting
import Logging
import ServiceLifecycle
import Testing

@Suite(.timeLimit(.minutes(2))) struct StatusServerTests {
    let clock = ManualClock()
    let store: InMemoryElectionStore

    init() { store = InMemoryElectionStore(clock: clock) }

    private func service(_ candidate: String, _ group: String = "group", hears: Bool = true) throws -> ElectionService {
        let wrapped = InMemoryElectionProvider(store: store)
        let rules = hears ? [] : [FaultRule(.dropBeforeApplying)]
        return try ElectionService(
            group,
            provider: FaultyProvider(wrapping: wrapped, clock: clock, rules: rules),
            configuration: ElectionConfiguration(candidate: candidate),
            clock: clock
        )
    }

    /// Serves the elections, with or without running them, while `body` asks.
    private func serving(
        _ elections: [ElectionService],
        _ body: (String) async throws -> Void
    ) async throws {
        let (places, continuation) = AsyncStream.makeStream(of: String.self)
        let server = try ElectionStatusServer(elections, on: "127.0.0.1:0") { continuation.yield($0) }
        let running = Task {
            defer { continuation.finish() }
            try await server.run()
        }
        var listening = places.makeAsyncIterator()
        let place = try #require(await listening.next())
        let result: Result<Void, any Error>
        do { result = .success(try await body(place)) } catch { result = .failure(error) }
        running.cancel()
        // Being cancelled is a way to end it, and no failure.
        try await running.value
        try result.get()
    }

    @Test func leaderSaysWhoLeadsEachGroup() async throws {
        let (first, second) = (try service("first", "one"), try service("second", "one"))
        let other = try service("first", "two \"quoted\"")
        try await withElection(first) { first in
            let term = try await first.waitForLeadership().term
            try await withElection(second) { second in
                _ = try await second.waitForLeader()
                try await serving([second, other]) { place in
                    let answer = try await Fetching.get("/leader", at: place)
                    #expect(answer.status == 200)
                    #expect(answer.head.lowercased().contains("content-type: application/json"))
                    let list = try #require(try answer.json as? [[String: Any]])
                    #expect(list[0]["group"] as? String == "one")
                    #expect(list[0]["leader"] as? String == "first")
                    #expect(list[0]["term"] as? Int64 == term)
                    #expect(list[0]["is_leader"] as? Bool == false)
                    #expect(list[0]["remaining_ns"] is NSNull)
                    #expect(list[1]["group"] as? String == "two \"quoted\"")
                    #expect(list[1]["leader"] is NSNull)
                }
                try await serving([first]) { place in
                    let one = try #require(
                        try await Fetching.get("/leader?group=one", at: place).json as? [String: Any]
                    )
                    #expect(one["is_leader"] as? Bool == true)
                    #expect(try #require(one["remaining_ns"] as? Int64) > 0)
                    #expect(try await Fetching.get("/leader?group=none", at: place).status == 404)
                }
            }
        }
    }

    @Test func healthAndReadinessFollowTheElection() async throws {
        let election = try service("alone")
        try await serving([election]) { place in
            #expect(try await Fetching.get("/healthz", at: place).status == 200)
            let before = try await Fetching.get("/readyz", at: place)
            #expect(before.status == 503)
            #expect(before.body.contains("not-started"))
            try await withElection(election) { election in
                _ = try await election.waitForLeadership()
                let answer = try await Fetching.get("/healthz", at: place)
                #expect(answer.status == 200)
                #expect(try (answer.json as? [String: Any])?["status"] as? String == "healthy")
                #expect(try await Fetching.get("/readyz", at: place).status == 200)
            }
            #expect(try await Fetching.get("/healthz", at: place).status == 503)
            #expect(try await Fetching.get("/readyz", at: place).status == 503)
        }
    }

    @Test func aStoreThatIsAwayIsNotReadyAndFailsAfterALease() async throws {
        let election = try service("alone", hears: false)
        try await serving([election]) { place in
            var events = election.events.makeAsyncIterator()
            let running = Task { try await election.run() }
            while let event = await events.next(), event.kind != .error { clock.advance(by: .milliseconds(200)) }
            #expect(try await Fetching.get("/readyz", at: place).status == 503)
            clock.advance(by: .seconds(11))
            let answer = try await Fetching.get("/healthz", at: place)
            #expect(answer.status == 503)
            #expect(answer.body.contains("store-never-heard"))
            election.stop()
            let passing = Task { [clock] in
                while !Task.isCancelled {
                    let mark = clock.timersSet
                    if let next = clock.nextDeadline {
                        clock.advance(to: next)
                    } else {
                        try await clock.waitForTimer(after: mark)
                    }
                    await Task.yield()
                }
            }
            try await running.value
            passing.cancel()
        }
    }

    @Test func metricsAreInTheFormatOfPrometheus() async throws {
        let election = try service("alone")
        let (places, continuation) = AsyncStream.makeStream(of: String.self)
        let server = try ElectionStatusServer([election], on: "127.0.0.1:0", labelledGroups: ["group"]) {
            continuation.yield($0)
        }
        let running = Task { try await server.run() }
        var listening = places.makeAsyncIterator()
        let place = try #require(await listening.next())
        try await withElection(election) { election in
            _ = try await election.waitForLeadership()
            var answer = try await Fetching.get("/metrics", at: place)
            // The observer has a thread of its own.
            while !answer.body.contains("election_leading{") { answer = try await Fetching.get("/metrics", at: place) }
            #expect(answer.head.contains("text/plain; version=0.0.4"))
            let lines = answer.body.split(separator: "\n").map(String.init)
            #expect(lines.contains("# TYPE election_leading gauge"))
            #expect(lines.contains("election_leading{group=\"group\"} 1"))
            #expect(lines.contains("# TYPE election_acquisitions_total counter"))
            #expect(lines.contains("election_health{status=\"healthy\"} 1"))
            #expect(lines.contains("election_health{status=\"failed\"} 0"))
            #expect(lines.contains { $0.hasPrefix("# HELP election_leading ") })
            #expect(!answer.body.contains("alone"))
        }
        running.cancel()
        _ = await running.result
    }

    @Test func termsTellTheStory() async throws {
        let election = try service("alone")
        try await serving([election]) { place in
            var term: Int64?
            try await withElection(election) { term = try await $0.waitForLeadership().term }
            let list = try #require(try await Fetching.get("/terms", at: place).json as? [[String: Any]])
            #expect(list.count == 1)
            #expect(list[0]["term"] as? Int64 == term)
            #expect(list[0]["ending"] as? String == "stopped")
        }
    }

    @Test func headRequestsAndUnknownPathsAreAnswered() async throws {
        try await serving([]) { place in
            let head = try await Fetching.get("/healthz", at: place, method: "HEAD")
            #expect(head.status == 200 && head.body.isEmpty)
            #expect(try await Fetching.get("/nothing", at: place).status == 404)
            #expect(try await Fetching.get("/leader", at: place, method: "POST").status == 404)
        }
    }

    @Test func clientThatSaysNothingHoldsUpNeitherOthersNorTheEnd() async throws {
        let election = try service("alone")
        var silent: Int32 = -1
        try await serving([election]) { place in
            silent = try Fetching.open(to: place)
            #expect(try await Fetching.get("/healthz", at: place).status == 200)
        }
        // Serving has ended although that client is still there.
        Fetching.closeSocket(silent)
    }

    @Test func connectionsThatComeWhileItEndsDoNoHarm() async throws {
        for _ in 0..<20 {
            var clients: [Int32] = []
            try await serving([]) { place in
                for _ in 0..<20 { clients.append(try Fetching.open(to: place)) }
            }
            for client in clients { Fetching.closeSocket(client) }
        }
    }

    @Test func aServiceGroupEndsIt() async throws {
        let (places, continuation) = AsyncStream.makeStream(of: String.self)
        let server = try ElectionStatusServer([], on: "127.0.0.1:0") { continuation.yield($0) }
        let group = ServiceGroup(services: [server], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let running = Task { try await group.run() }
        var listening = places.makeAsyncIterator()
        let place = try #require(await listening.next())
        #expect(try await Fetching.get("/healthz", at: place).status == 200)
        await group.triggerGracefulShutdown()
        try await running.value
    }

    @Test func portInUseIsOneClearError() async throws {
        try await serving([]) { place in
            let second = try ElectionStatusServer([], on: place)
            let failure = await #expect(throws: StatusServerError.self) { try await second.run() }
            #expect(failure?.address == place)
            #expect(failure?.description.contains("\(place): Address already in use") == true)
        }
    }

    @Test(arguments: ["", "8086", "localhost", ":8086", "host:", "host:70000", "host:-1", "::1:8086", "a b:80", "h:８"])
    func addressesThatAreNoneAreRefused(text: String) {
        let error = #expect(throws: ElectionError.self) { try ElectionStatusServer([], on: text) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains("\"\(text)\"") == true)
        #expect(error?.message.contains("127.0.0.1:8086") == true)
    }

    @Test func addressesAreTakenApart() throws {
        #expect(try ListenAddress("[::1]:8086").host == "::1")
        #expect(try ListenAddress("localhost:0").port == 0)
    }
}
#endif
