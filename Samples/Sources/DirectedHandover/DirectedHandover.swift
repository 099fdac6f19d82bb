// SPDX-License-Identifier: MIT

internal import LeaderElection

/// Leadership is handed to a chosen candidate, which warms up while the old leader still leads.
///
/// Both candidates are in this process, over a store in memory; between machines nothing is different but the provider.
/// ```
/// swift run DirectedHandover
/// ```
@main
struct DirectedHandover {
    static func main() async throws {
        let store = InMemoryElectionStore()
        let first = try candidate("first", InMemoryElectionProvider(store: store))
        let second = try candidate("second", InMemoryElectionProvider(store: store))
        try await withElection(first) { first in
            let old = try await first.waitForLeadership()
            print("first leads in term \(old.term)")
            try await withElection(second) { second in
                // It has to be listed before anybody can choose it.
                while try await !first.candidates().contains(where: { $0.candidate.id == "second" && $0.isEligible }) {
                    try await Task.sleep(for: .milliseconds(50))
                }
                async let work: Void = work(first)
                let clock = ContinuousClock()
                let start = clock.now
                try await first.transfer(to: "second")
                let new = try await second.waitForLeadership()
                print("second leads in term \(new.term), \(start.duration(to: clock.now)) after it was asked for")
                first.stop()
                try await work
            }
        }
    }

    static func candidate(_ name: String, _ provider: InMemoryElectionProvider) throws -> ElectionService {
        var configuration = ElectionConfiguration.fast
        configuration.candidate = name
        configuration.prepare = {
            print("\(name) warms up: connections, caches")
            try await Task.sleep(for: .milliseconds(500))
        }
        return try ElectionService("router", provider: provider, configuration: configuration)
    }

    /// Ends in good order when it is told to, while the lease is still renewed.
    static func work(_ election: ElectionService) async throws {
        try await election.whileLeader { leadership in
            while !Task.isCancelled { try? await Task.sleep(for: .milliseconds(100)) }
            print("the work of term \(leadership.term) has ended")
        }
    }
}
