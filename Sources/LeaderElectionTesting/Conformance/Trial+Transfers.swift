// SPDX-License-Identifier: MIT

internal import LeaderElection

extension Trial {
    /// One more provider, which must be able to transfer.
    func transferring() async throws -> any TransferringProvider {
        let provider = try await provider()
        guard let transferring = provider as? any TransferringProvider else {
            throw failure("\(type(of: provider)) is no TransferringProvider")
        }
        return transferring
    }

    func transferRequest(
        _ grant: Grant,
        to heir: AcquireRequest,
        nonce: Nonce? = nil,
        term: Int64? = nil
    ) -> TransferRequest {
        TransferRequest(
            group: grant.group,
            nonce: nonce ?? grant.nonce,
            term: term ?? grant.term,
            heir: heir.candidate,
            heirNonce: heir.nonce,
            leaseDuration: fixture.leaseDuration,
            timeout: callTimeout
        )
    }

    func transfer(_ provider: any TransferringProvider, _ request: TransferRequest) async throws -> TransferAnswer {
        try await answer(provider, request).answer
    }

    /// A request that is refused at first and goes on to wait: what somebody must have made to be an heir.
    func waitingRequest(
        _ provider: any ElectionProvider,
        because holder: Grant,
        by candidate: Candidate? = nil
    ) async throws -> AcquireRequest {
        let request = request(holder.group, by: candidate ?? self.candidate("heir"))
        try await refused(provider, request, because: holder, isToStay: true)
        return request
    }

    /// Moves a lease that is held, and answers the term if the store tells it and the answer was not lost.
    @discardableResult
    func handDown(
        _ provider: any TransferringProvider,
        _ grant: Grant,
        to heir: AcquireRequest
    ) async throws -> Int64? {
        switch try await answer(provider, transferRequest(grant, to: heir)) {
        case (.transferred(let term), _):
            if let term {
                try expect(
                    term > grant.term,
                    "the lease was transferred in term \(term), the one before was \(grant.term)"
                )
            }
            return term
        case (.notHeld, isRepeated: true): return nil
        case (let answer, _): throw failure("a lease that is held was not transferred: \(answer)")
        }
    }

    /// The heir asks, and is granted what was moved to it.
    func inherit(
        _ provider: any ElectionProvider,
        _ request: AcquireRequest,
        after earlier: Grant,
        term: Int64?
    ) async throws -> Grant {
        let answer = try await acquire(provider, request)
        guard case .granted(let granted, let leaseDuration) = answer else {
            throw failure("the heir asked for what was transferred to it and was answered \(answer)")
        }
        try expect(granted > earlier.term, "the heir has term \(granted), the holder before had \(earlier.term)")
        if let term { try expect(granted == term, "the heir has term \(granted), transferred was \(term)") }
        return Grant(
            group: request.group,
            candidate: request.candidate,
            nonce: request.nonce,
            term: granted,
            leaseDuration: leaseDuration
        )
    }

    /// Somebody else asks meanwhile, and gets nothing.
    func isKept(_ provider: any ElectionProvider, from request: AcquireRequest) async throws {
        switch try await answer(provider, request) {
        case .held, .deferred: try await leaveQueue(provider, request)
        case let answer: throw failure("a lease was on its way to an heir, and another request was answered \(answer)")
        }
    }

    func isNotHeld(_ provider: any TransferringProvider, _ request: TransferRequest, _ what: String) async throws {
        let answer = try await transfer(provider, request)
        guard case .notHeld = answer else { throw failure("a transfer \(what) was answered \(answer)") }
    }
}
