// SPDX-License-Identifier: MIT
#if Postgres
internal import LeaderElection
internal import LeaderElectionPostgres
internal import Synchronization
internal import Testing

/// A candidate with its lease, as the engine would keep it.
struct Contender: Sendable {
    let provider: PostgresElectionProvider
    let group: ElectionGroup
    let candidate: Candidate
    var nonce = Nonce()
    var lease = Duration.seconds(10)
    var timeout = Duration.seconds(5)

    init(_ id: String, _ provider: PostgresElectionProvider, group: String = "group") throws {
        self.provider = provider
        self.group = try ElectionGroup(group)
        candidate = Candidate(id: id, incarnation: Nonce(), metadata: ["place": "here"])
    }

    func request(previous: Nonce? = nil, observed: LeaseVersion? = nil) -> AcquireRequest {
        AcquireRequest(
            group: group,
            candidate: candidate,
            nonce: nonce,
            previousNonce: previous,
            observed: observed,
            leaseDuration: lease,
            timeout: timeout
        )
    }

    func acquire(previous: Nonce? = nil, observed: LeaseVersion? = nil) async throws -> AcquireAnswer {
        try await provider.acquire([request(previous: previous, observed: observed)])[0]
    }

    /// The term, as soon as the store does not defer it any more.
    func acquireSoon() async throws -> Int64 {
        var answers: [String] = []
        for _ in 0..<400 {
            do {
                switch try await acquire() {
                case .granted(let term, _): return term
                case .deferred(let delay, _): try await Task.sleep(for: min(delay, .seconds(2)))
                case let answer:
                    answers.append("\(answer)")
                    try await Task.sleep(for: .milliseconds(50))
                }
            } catch let error as ElectionError {
                answers.append("\(error)")
                try await Task.sleep(for: .milliseconds(50))
            }
        }
        Issue.record("nothing was granted: \(answers.suffix(3))")
        return 0
    }

    func renewRequest(term: Int64) -> RenewRequest {
        RenewRequest(group: group, nonce: nonce, term: term, leaseDuration: lease, timeout: timeout)
    }

    func renew(term: Int64) async throws -> RenewAnswer { try await provider.renew([renewRequest(term: term)])[0] }

    /// Until the store is back.
    func renewSoon(term: Int64) async throws -> RenewAnswer {
        for _ in 0..<400 {
            if let answer = try? await renew(term: term) { return answer }
            try await Task.sleep(for: .milliseconds(50))
        }
        return try await renew(term: term)
    }

    func releaseRequest(term: Int64?) -> ReleaseRequest {
        ReleaseRequest(group: group, nonce: nonce, term: term, timeout: timeout)
    }

    func release(term: Int64?) async throws -> ReleaseAnswer {
        try await provider.release([releaseRequest(term: term)])[0]
    }

    func holder() async throws -> HolderAnswer { try await provider.holders(of: [group])[0] }

    /// What an acquisition was refused with.
    func refusal() async -> ElectionError? {
        do {
            _ = try await acquire()
            return nil
        } catch {
            return error as? ElectionError
        }
    }
}

extension AcquireAnswer {
    var term: Int64? {
        if case .granted(let term, _) = self { term } else { nil }
    }
    var record: LeaseRecord? {
        if case .held(let record) = self { record } else { nil }
    }
    var delay: Duration? {
        if case .deferred(let delay, _) = self { delay } else { nil }
    }
}

extension RenewAnswer {
    var isRenewed: Bool {
        if case .renewed = self { true } else { false }
    }
    var isLost: Bool {
        if case .lost = self { true } else { false }
    }
}

extension ReleaseAnswer {
    var isReleased: Bool {
        if case .released = self { true } else { false }
    }
}

/// The hints of a provider.
final class Hints: Sendable {
    private let hints = Mutex<[ProviderHint]>([])
    private let subscription = Mutex<(any HintSubscription)?>(nil)

    init(of provider: PostgresElectionProvider) {
        let subscription = provider.hints { [weak self] hint in self?.hints.withLock { $0.append(hint) } }
        self.subscription.withLock { $0 = subscription }
    }

    var all: [ProviderHint] { hints.withLock { $0 } }
    var resyncs: Int { all.count { $0 == .resync } }
    var warnings: [ElectionError] { all.compactMap { if case .warning(let error) = $0 { error } else { nil } } }

    func changes(of group: ElectionGroup) -> Int { all.count { $0.group == group } }

    func releases(of group: ElectionGroup) -> Int {
        all.count { if case .freed(group, _) = $0 { true } else { false } }
    }
}

/// Waits for something that takes its time; false when it takes too long.
func eventually(within limit: Duration = .seconds(20), _ condition: () async throws -> Bool) async throws -> Bool {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        if ContinuousClock.now > deadline { return false }
        try? await Task.sleep(for: .milliseconds(5))
    }
    return true
}
#endif
