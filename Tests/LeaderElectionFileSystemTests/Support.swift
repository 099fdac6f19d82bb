// SPDX-License-Identifier: MIT

internal import LeaderElection
internal import Synchronization

@testable internal import LeaderElectionFileSystem

/// One candidate over a directory, with the few words that tests need.
struct Contender {
    let provider: FileSystemElectionProvider
    let candidate = Candidate(id: "c", incarnation: Nonce(), metadata: ["address": "10.0.0.1:80", "a=b": "50 %\n"])

    init(provider: FileSystemElectionProvider) {
        self.provider = provider
    }

    init(_ directory: String, createDirectory: Bool = true) throws {
        provider = try .fileSystem(directory: directory, createDirectory: createDirectory)
    }

    /// Hints, from the moment on at which the watch is set up: a call comes back only after it was.
    func hints(of group: ElectionGroup) async throws -> Hints {
        let hints = Hints(provider)
        _ = try await holder(group)
        return hints
    }

    func acquire(
        _ group: ElectionGroup,
        _ nonce: Nonce = Nonce(),
        previous: Nonce? = nil,
        lease: Duration = .seconds(10)
    ) async throws -> AcquireAnswer {
        let request = AcquireRequest(
            group: group,
            candidate: candidate,
            nonce: nonce,
            previousNonce: previous,
            leaseDuration: lease,
            timeout: .seconds(60)
        )
        return try await only(provider.acquire([request]))
    }

    func renew(_ group: ElectionGroup, _ nonce: Nonce, _ term: Int64) async throws -> RenewAnswer {
        let request = RenewRequest(
            group: group,
            nonce: nonce,
            term: term,
            leaseDuration: .seconds(10),
            timeout: .seconds(60)
        )
        return try await only(provider.renew([request]))
    }

    func transfer(
        _ group: ElectionGroup,
        _ nonce: Nonce,
        _ term: Int64,
        to heir: Nonce
    ) async throws -> TransferAnswer {
        let request = TransferRequest(
            group: group,
            nonce: nonce,
            term: term,
            heir: Candidate(id: "heir", incarnation: Nonce()),
            heirNonce: heir,
            leaseDuration: .seconds(10),
            timeout: .seconds(60)
        )
        return try await only(provider.transfer([request]))
    }

    func release(_ group: ElectionGroup, _ nonce: Nonce, _ term: Int64?) async throws -> ReleaseAnswer {
        let request = ReleaseRequest(group: group, nonce: nonce, term: term, timeout: .seconds(60))
        return try await only(provider.release([request]))
    }

    func holder(_ group: ElectionGroup) async throws -> HolderAnswer {
        try await only(provider.holders(of: [group]))
    }

    private func only<Answer>(_ answers: [Answer]) throws -> Answer {
        guard let answer = answers.first, answers.count == 1 else {
            throw TestFailure(text: "\(answers.count) answers")
        }
        return answer
    }
}

extension AcquireAnswer {
    var term: Int64? { if case .granted(let term, _) = self { term } else { nil } }
    var record: LeaseRecord? { if case .held(let record) = self { record } else { nil } }
    var delay: Duration? { if case .deferred(let delay, _) = self { delay } else { nil } }
    var error: ElectionError? { if case .unknown(let error) = self { error as? ElectionError } else { nil } }

    /// The term, or a failure that shows what came instead.
    func granted() throws -> Int64 {
        guard let term else { throw TestFailure(text: "not granted: \(self)") }
        return term
    }
}

extension RenewAnswer {
    var isRenewed: Bool { if case .renewed = self { true } else { false } }
    var isLost: Bool { if case .lost = self { true } else { false } }
}

extension ReleaseAnswer {
    var isReleased: Bool { if case .released = self { true } else { false } }
    var isNotHeld: Bool { if case .notHeld = self { true } else { false } }
}

extension TransferAnswer {
    var isTransferred: Bool { if case .transferred = self { true } else { false } }
    var reason: String? { if case .refused(let reason) = self { reason } else { nil } }
}

extension TemporaryDirectory {
    /// A provider whose notes and reservations are timed by the clock given.
    func provider(clock: any ElectionClock) -> FileSystemElectionProvider {
        FileSystemElectionProvider(
            StoreDirectory(path: path, create: true, allowNetwork: false, logger: nil, clock: clock)
        )
    }
}

extension HolderAnswer {
    var record: LeaseRecord? { if case .held(let record) = self { record } else { nil } }
    var isFree: Bool { if case .free = self { true } else { false } }
    var error: ElectionError? { if case .unknown(let error) = self { error as? ElectionError } else { nil } }
}

/// Collects the hints of one provider.
final class Hints: Sendable {
    private let list = Mutex<[ProviderHint]>([])
    private let subscription = Mutex<(any HintSubscription)?>(nil)

    init(_ provider: FileSystemElectionProvider) {
        let subscription = provider.hints { [weak self] hint in self?.list.withLock { $0.append(hint) } }
        self.subscription.withLock { $0 = subscription }
    }

    var all: [ProviderHint] { list.withLock { $0 } }
    func forget() { list.withLock { $0 = [] } }
    func cancel() { subscription.withLock { $0?.cancel() } }
}
