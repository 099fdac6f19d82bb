// SPDX-License-Identifier: MIT

internal import LeaderElection

extension Trial {
    /// A grant whose provider is let go without a goodbye.
    func grantAndLetGo(_ group: ElectionGroup) async throws -> Grant {
        try await grant(try await provider(), group)
    }

    /// Asks until the lease is free, for as long as a hint may take: the kernel cleans up in its own time.
    func grantSoon(
        _ provider: any ElectionProvider,
        _ group: ElectionGroup,
        after earlier: Grant
    ) async throws -> Grant {
        let clock = SystemClock()
        let limit = clock.now.advanced(by: fixture.hintTimeout)
        let request = request(group)
        while case .held = try await acquire(provider, request), clock.now < limit {
            let gate = Gate()
            let timer = clock.schedule(at: clock.now.advanced(by: .milliseconds(5))) { gate.open() }
            defer { timer.cancel() }
            try await gate.wait()
        }
        return try await grant(provider, request, after: earlier)
    }
}

extension ProviderConformance {
    static let lossCases: [Case] = [
        Case("a provider that is let go leaves at most a lease that runs out", requires: .expiry) { trial in
            let group = try trial.group()
            let grant = try await trial.grantAndLetGo(group)
            let provider = try await trial.provider()
            guard case .held = try await trial.holder(provider, of: group) else {
                _ = try await trial.grant(provider, trial.request(group), after: grant)
                return
            }
            _ = try await trial.grantAfterExpiry(provider, of: grant)
        },
        Case("a lease ends at once when its provider is let go", requires: .endsWithProvider) { trial in
            let group = try trial.group()
            let grant = try await trial.grantAndLetGo(group)
            _ = try await trial.grantSoon(try await trial.provider(), group, after: grant)
        },
        Case("a crash leaves at most a lease that runs out", requires: [.crash, .expiry]) { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let grant = try await trial.grant(first, try trial.group())
            try await trial.crash(first)
            guard case .held = try await trial.holder(second, of: grant.group) else {
                _ = try await trial.grant(second, trial.request(grant.group), after: grant)
                return
            }
            _ = try await trial.grantAfterExpiry(second, of: grant)
        },
        Case("a lease ends at once when its provider crashes", requires: [.crash, .endsWithProvider]) { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let grant = try await trial.grant(first, try trial.group())
            try await trial.refused(second, trial.request(grant.group), because: grant)
            try await trial.crash(first)
            _ = try await trial.grantSoon(second, grant.group, after: grant)
        },
        Case("a store that lost its data still hands out larger terms", requires: .wipe) { trial in
            let provider = try await trial.provider()
            let group = try trial.group()
            var last = try await trial.grant(provider, group)
            for _ in 0..<3 {
                try await trial.release(provider, last)
                last = try await trial.grant(provider, trial.request(group), after: last)
            }
            try await trial.wipe()
            try await trial.renewalIsLost(provider, trial.renewal(of: last), "after the store lost its data")
            _ = try await trial.grant(try await trial.provider(), trial.request(group), after: last)
        },
    ]
}

extension Trial {
    func crash(_ provider: any ElectionProvider) async throws {
        guard let crash = fixture.crash else { throw failure("the fixture has no crash, which this case needs") }
        try await crash(provider)
    }

    /// Loses the store's data, as an accident some time after the last grant would.
    func wipe() async throws {
        guard let wipe = fixture.wipe else { throw failure("the fixture has no wipe, which this case needs") }
        if let passTime = fixture.passTime { try await passTime(.seconds(1)) }
        try await wipe()
    }
}
