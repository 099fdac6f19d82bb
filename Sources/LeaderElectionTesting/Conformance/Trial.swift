// SPDX-License-Identifier: MIT

internal import LeaderElection

/// What the cases are written with: short verbs that fail with a sentence.
struct Trial: Sendable {
    /// A lease that was granted during a trial.
    struct Grant: Sendable {
        let group: ElectionGroup
        let candidate: Candidate
        let nonce: Nonce
        let term: Int64
        let leaseDuration: Duration
    }

    let fixture: ProviderConformance
    let promise: String
    let callTimeout = Duration.seconds(10)
    let repetitions = Repetitions()

    func provider() async throws -> any ElectionProvider { try await fixture.makeProvider() }

    /// A group that no other case and no other run uses.
    func group(_ suffix: String = "") throws -> ElectionGroup {
        try ElectionGroup(fixture.groupPrefix + Nonce().description + suffix)
    }

    func groups(_ count: Int) throws -> [ElectionGroup] { try (0..<count).map { _ in try group() } }

    func candidate(_ id: String = "candidate") -> Candidate { Candidate(id: id, incarnation: Nonce()) }

    func failure(_ observation: String) -> ConformanceFailure {
        ConformanceFailure(promise: promise, observation: observation)
    }

    func expect(_ condition: Bool, _ observation: @autoclosure () -> String) throws {
        guard condition else { throw failure(observation()) }
    }

    /// Lets this part of a lease go by for the store.
    func pass(_ part: Double, of leaseDuration: Duration) async throws {
        try await pass(.nanoseconds(Int64(Double(leaseDuration.wholeNanoseconds) * part)))
    }

    func pass(_ duration: Duration) async throws {
        guard let passTime = fixture.passTime else {
            throw failure("the fixture has no passTime, which this case needs")
        }
        try await passTime(duration)
    }

    // MARK: Acquire

    func request(
        _ group: ElectionGroup,
        by candidate: Candidate? = nil,
        nonce: Nonce = Nonce(),
        previousNonce: Nonce? = nil,
        observed: LeaseVersion? = nil
    ) -> AcquireRequest {
        AcquireRequest(
            group: group,
            candidate: candidate ?? self.candidate(),
            nonce: nonce,
            previousNonce: previousNonce,
            observed: observed,
            leaseDuration: fixture.leaseDuration,
            timeout: callTimeout
        )
    }

    /// One answer; a store that wants to wait first gets its time, a few times.
    func acquire(_ provider: any ElectionProvider, _ request: AcquireRequest) async throws -> AcquireAnswer {
        for _ in 0..<5 {
            let answer = try await answer(provider, request)
            guard case .deferred(let delay, let reason) = answer else { return answer }
            guard fixture.passTime != nil else {
                throw failure("the store defers a grant (\(reason)) and the fixture has no passTime to wait for it")
            }
            try await pass(delay)
        }
        throw failure("the store defers a grant again and again")
    }

    func grant(_ provider: any ElectionProvider, _ request: AcquireRequest) async throws -> Grant {
        let answer = try await acquire(provider, request)
        guard case .granted(let term, let leaseDuration) = answer else {
            throw failure("the group \"\(request.group)\" is free to the request but was not granted: \(answer)")
        }
        try expect(term > 0, "the term \(term) is not positive")
        try expect(leaseDuration > .zero, "the lease was granted for \(leaseDuration)")
        return Grant(
            group: request.group,
            candidate: request.candidate,
            nonce: request.nonce,
            term: term,
            leaseDuration: leaseDuration
        )
    }

    func grant(_ provider: any ElectionProvider, _ group: ElectionGroup) async throws -> Grant {
        try await grant(provider, request(group))
    }

    /// A grant that must have a larger term than an earlier one.
    func grant(
        _ provider: any ElectionProvider,
        _ request: AcquireRequest,
        after earlier: Grant
    ) async throws -> Grant {
        let later = try await grant(provider, request)
        try expect(
            later.term > earlier.term,
            "the new grant has term \(later.term), an earlier one had \(earlier.term)"
        )
        return later
    }

    /// A request that must find another holder.
    ///
    /// - Parameter isToStay: whether it goes on to wait, where the store queues candidates.
    @discardableResult
    func refused(
        _ provider: any ElectionProvider,
        _ request: AcquireRequest,
        because holder: Grant,
        isToStay: Bool = false
    ) async throws -> LeaseRecord {
        let answer = try await acquire(provider, request)
        guard case .held(let record) = answer else {
            throw failure("\(holder.candidate.id) holds the lease, but another request was answered \(answer)")
        }
        try check(record, shows: holder)
        if !isToStay { try await leaveQueue(provider, request) }
        return record
    }

    /// What a candidate that waits no more owes to a store that queues candidates.
    func leaveQueue(_ provider: any ElectionProvider, _ request: AcquireRequest) async throws {
        guard provider.guarantees.queuesCandidates else { return }
        let release = ReleaseRequest(group: request.group, nonce: request.nonce, term: nil, timeout: callTimeout)
        let answer = try await answer(provider, release).answer
        if case .unknown = answer { throw failure("a place in the queue was given back, which was answered \(answer)") }
    }

    func check(_ record: LeaseRecord, shows holder: Grant) throws {
        try expect(record.term == holder.term, "the record shows term \(record.term), granted was \(holder.term)")
        try expect(
            record.holder.incarnation == holder.candidate.incarnation,
            "the record shows incarnation \(record.holder.incarnation), the holder's is \(holder.candidate.incarnation)"
        )
        try expect(
            record.holder.id.utf8.elementsEqual(holder.candidate.id.utf8),
            "the record shows the holder \"\(record.holder.id)\", who is \"\(holder.candidate.id)\""
        )
    }

    // MARK: Renew

    func renewal(of grant: Grant, nonce: Nonce? = nil, term: Int64? = nil) -> RenewRequest {
        RenewRequest(
            group: grant.group,
            nonce: nonce ?? grant.nonce,
            term: term ?? grant.term,
            leaseDuration: fixture.leaseDuration,
            timeout: callTimeout
        )
    }

    func renew(_ provider: any ElectionProvider, _ grant: Grant) async throws {
        let answer = try await answer(provider, renewal(of: grant))
        guard case .renewed(let leaseDuration) = answer else {
            throw failure("a lease that is held was not renewed: \(answer)")
        }
        try expect(leaseDuration > .zero, "the lease was renewed for \(leaseDuration)")
    }

    func renewalIsLost(_ provider: any ElectionProvider, _ request: RenewRequest, _ what: String) async throws {
        let answer = try await answer(provider, request)
        guard case .lost = answer else { throw failure("a renewal \(what) was answered \(answer)") }
    }

    // MARK: Release

    func releaseRequest(_ grant: Grant, nonce: Nonce? = nil, term: Int64?) -> ReleaseRequest {
        ReleaseRequest(group: grant.group, nonce: nonce ?? grant.nonce, term: term, timeout: callTimeout)
    }

    func release(_ provider: any ElectionProvider, _ grant: Grant) async throws {
        switch try await answer(provider, releaseRequest(grant, term: grant.term)) {
        case (.released, _), (.notHeld, isRepeated: true): break
        case (let answer, _): throw failure("a lease that is held was not released: \(answer)")
        }
    }

    func releaseIsRefused(_ provider: any ElectionProvider, _ request: ReleaseRequest, _ what: String) async throws {
        let answer = try await answer(provider, request).answer
        guard case .notHeld = answer else { throw failure("a release \(what) was answered \(answer)") }
    }

    // MARK: Read

    func holder(_ provider: any ElectionProvider, of group: ElectionGroup) async throws -> HolderAnswer {
        try await answer(unless: { if case .unknown = $0 { true } else { false } }) {
            try await provider.holders(of: [group])
        }.answer
    }

    func isFree(_ provider: any ElectionProvider, _ group: ElectionGroup, lastTerm: Int64? = nil) async throws {
        let answer = try await holder(provider, of: group)
        guard case .free(let term) = answer else { throw failure("a free group was read as \(answer)") }
        if let term, let lastTerm {
            try expect(term == lastTerm, "the last term was read as \(term), granted was \(lastTerm)")
        }
    }

    func isHeld(_ provider: any ElectionProvider, by grant: Grant) async throws {
        let answer = try await holder(provider, of: grant.group)
        guard case .held(let record) = answer else { throw failure("a held group was read as \(answer)") }
        try check(record, shows: grant)
    }

    func single<Answer>(_ answers: [Answer]) throws -> Answer {
        guard answers.count == 1, let answer = answers.first else {
            throw failure("one request was answered \(answers.count) times")
        }
        return answer
    }

    /// Nonces that a store might mistake for the given one if it kept, or compared, only a part of it.
    func lookalikes(of nonce: Nonce) -> [Nonce] {
        [
            Nonce(),
            Nonce(high: nonce.high, low: nonce.low ^ 1),
            Nonce(high: nonce.high ^ (1 << 63), low: nonce.low),
            Nonce(high: nonce.low, low: nonce.high),
        ]
    }
}
