// SPDX-License-Identifier: MIT
#if Consul
import Foundation
import LeaderElection
import Synchronization
import Testing

@testable import LeaderElectionConsul

/// One request for one group, repeated with the same nonce.
struct Asker: Sendable {
    let provider: ConsulElectionProvider
    var request: AcquireRequest

    init(
        _ provider: ConsulElectionProvider,
        _ group: String = "group",
        _ id: String = "candidate",
        lease: Duration = .seconds(10),
        timeout: Duration = .seconds(5)
    ) throws {
        self.provider = provider
        request = AcquireRequest(
            group: try ElectionGroup(group),
            candidate: Candidate(id: id, incarnation: Nonce()),
            nonce: Nonce(),
            leaseDuration: lease,
            timeout: timeout
        )
    }

    func ask() async throws -> AcquireAnswer { try #require(try await provider.acquire([request]).first) }

    /// The term, if granted now.
    func term() async throws -> Int64? {
        if case .granted(let term, _) = try await ask() { term } else { nil }
    }

    /// Asks until granted.
    @discardableResult
    func termSoon(within limit: Duration = .seconds(15)) async throws -> Int64 {
        let end = ContinuousClock.now + limit
        while ContinuousClock.now < end {
            if let term = try await term() { return term }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw NotInTime(what: "a grant to \(request.candidate.id)")
    }

    /// Who holds it, if refused.
    func holder() async throws -> String? {
        if case .held(let record) = try await ask() { record.holder.id } else { nil }
    }

    func error() async throws -> ElectionError? {
        if case .unknown(let error) = try await ask() { error as? ElectionError } else { nil }
    }

    func renew(_ term: Int64, timeout: Duration = .seconds(5)) async throws -> RenewAnswer {
        let request = RenewRequest(
            group: request.group,
            nonce: request.nonce,
            term: term,
            leaseDuration: request.leaseDuration,
            timeout: timeout
        )
        return try #require(try await provider.renew([request]).first)
    }

    func release(_ term: Int64? = nil) async throws -> ReleaseAnswer {
        let request = ReleaseRequest(group: request.group, nonce: request.nonce, term: term, timeout: .seconds(5))
        return try #require(try await provider.release([request]).first)
    }
}

struct NotInTime: Error, CustomStringConvertible {
    let what: String
    var description: String { "\(what) did not come in time" }
}

/// Waits until something holds.
func soon(_ what: String, within limit: Duration = .seconds(15), _ holds: () async throws -> Bool) async throws {
    let end = ContinuousClock.now + limit
    while try await !holds() {
        guard ContinuousClock.now < end else { throw NotInTime(what: what) }
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// The hints of one provider.
final class Hints: Sendable {
    private let seen = Mutex<[ProviderHint]>([])
    private let subscription: Mutex<(any HintSubscription)?> = Mutex(nil)

    init(_ provider: ConsulElectionProvider) {
        let subscription = provider.hints { [weak self] hint in self?.seen.withLock { $0.append(hint) } }
        self.subscription.withLock { $0 = subscription }
    }

    var all: [ProviderHint] { seen.withLock { $0 } }
    func forget() { seen.withLock { $0 = [] } }

    var warnings: [ElectionError] {
        all.compactMap { if case .warning(let error) = $0 { error } else { nil } }
    }
}
#endif
