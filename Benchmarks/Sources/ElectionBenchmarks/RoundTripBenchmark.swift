// SPDX-License-Identifier: MIT

internal import Foundation
internal import LeaderElection

/// An uncontended acquisition and its release, beside the same two commands sent by a plain client.
struct RoundTripBenchmark {
    let server: Server

    private static let group = "bench-round-trip"
    /// So many pairs of the one, then of the other.
    private static let turn = 100

    func run(_ options: Options, _ report: inout Report) async throws {
        Report.heading("\(server.name): acquire and release, uncontended, one connection")
        let provider = try server.provider()
        // Connected, and past whatever a fresh server has to wait for.
        try await warmUp(provider)
        let raw: any RawClient =
            switch server {
            case .postgres: try await RawPostgres(group: Self.group) { _ = try await pair(provider) }
            case .redis: try await RawRedis(url: try server.url()) { _ = try await pair(provider) }
            case .zookeeper, .consul: throw Usage(description: "there is no plain client to compare with")
            }
        var (ours, theirs): ([Double], [Double]) = ([], [])
        // By many turns, so that both meet the same machine: waking a thread on another processor can double all times.
        for _ in 0..<(options.roundTrips / Self.turn) {
            theirs += try raw.pairs(Self.turn)
            for _ in 0..<Self.turn { ours.append(try await pair(provider)) }
        }
        report.add("the same commands by \(raw.name)", Samples(theirs), unit: "us")
        report.add("acquire and release", Samples(ours), unit: "us", target: Samples(theirs).median * 1.5)
    }

    private func warmUp(_ provider: some ElectionProvider) async throws {
        for _ in 0..<400 {
            do {
                for _ in 0..<100 { _ = try await pair(provider) }
                return
            } catch is Deferred {
                try await Task.sleep(for: .milliseconds(100))
            }
        }
        throw Usage(description: "\(server.name) grants nothing")
    }

    private struct Deferred: Error {}

    /// Microseconds.
    private func pair(_ provider: some ElectionProvider) async throws -> Double {
        let clock = SystemClock()
        let group = try ElectionGroup(Self.group)
        let nonce = Nonce()
        let start = clock.now
        let request = AcquireRequest(
            group: group,
            candidate: Candidate(id: "bench", incarnation: nonce),
            nonce: nonce,
            leaseDuration: .seconds(10),
            timeout: .seconds(5)
        )
        guard let answer = try await provider.acquire([request]).first else { throw Deferred() }
        guard case .granted(let term, _) = answer else {
            if case .unknown(let error) = answer { throw error }
            throw Deferred()
        }
        _ = try await provider.release([ReleaseRequest(group: group, nonce: nonce, term: term, timeout: .seconds(5))])
        return start.duration(to: clock.now).nanoseconds / 1000
    }
}

/// Sends the commands of an acquisition and a release, and nothing else.
protocol RawClient {
    var name: String { get }

    /// Microseconds for each pair.
    func pairs(_ count: Int) throws -> [Double]
}
