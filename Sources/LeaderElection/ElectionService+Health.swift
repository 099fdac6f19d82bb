// SPDX-License-Identifier: MIT

/// Taking part only while this process is well, and while nobody suspended it.
extension ElectionService {
    /// Takes no part in the election until ``resume()``: ends a term of its own in an orderly way, and wins no other.
    ///
    /// Work under ``whileLeader(_:)`` is cancelled and waited for while the lease is still renewed. Returns when the lease
    /// was given back or cannot be any more; at once if the calling task is cancelled.
    public func suspend(_ reason: ElectionReason = .suspended) async {
        isSuspended = true
        handle { $0.suspend(reason, at: $1) }
        tellHealth()
        await leaseGivenBack()
    }

    /// Takes part again after ``suspend(_:)``, unless the ``ElectionConfiguration/healthCheck`` is against it.
    public func resume() {
        isSuspended = false
        resumeIfFit()
    }

    /// Checks in another way from the next check on, without a word about leadership: what was found so far still counts.
    ///
    /// Returns at once.
    ///
    /// - Throws: ``ElectionError/Code/invalidConfiguration`` if a value of the check is out of range, or the service was made
    ///   without a check: one that was never asked for could only end a term that is well.
    public nonisolated func changeHealthCheck(to check: HealthCheck) throws {
        try check.validate()
        guard hasHealthCheck else {
            throw ElectionError(
                .invalidConfiguration,
                "this candidate has no health check that could change; make another service, with one",
                group: group.name
            )
        }
        executor.execute {
            self.assumeIsolated { service in
                service.healthCheck = check
                guard service.fitness != nil else { return }
                service.fitness?.change(to: check, at: service.clock.now)
                service.healthChecks = service.lane(for: check)
                service.rearmHealth()
            }
        }
    }

    private func resumeIfFit() {
        if !isSuspended, !isUnwell { handle { $0.resume(at: $1) } }
        tellHealth()
    }

    /// Looks on until the first check has succeeded.
    func beginHealthChecks() {
        guard let check = healthCheck else { return }
        isUnwell = true
        handle { $0.suspend(.unhealthy, at: $1) }
        tellHealth()
        fitness = HealthMachine(check, at: clock.now)
        healthChecks = lane(for: check)
        checkHealth()
    }

    private func lane(for check: HealthCheck) -> CallLane<UInt64, Result<HealthCheck.Score, any Error>> {
        CallLane(
            executor: executor,
            caller: SerialThread.checks,
            clock: clock,
            maximumBatch: 1,
            unknown: { .failure($0) }
        ) { requests in
            let score = try await check.check()
            return requests.map { _ in .success(score) }
        }
    }

    func endHealthChecks() {
        healthTimer?.cancel()
        healthTimer = nil
        fitness = nil
    }

    private func checkHealth() {
        guard let check = healthCheck, let number = fitness?.timerFired(at: clock.now) else { return rearmHealth() }
        healthTimer = clock.schedule(at: clock.now + check.timeout) { [weak self, executor] in
            guard let self else { return }
            executor.execute {
                let error = ElectionError(.timedOut, "the health check took longer than \(check.timeout.text())")
                self.assumeIsolated { $0.checked(.failure(error), of: number) }
            }
        }
        healthChecks?.assumeIsolated { lane in
            lane.submit(number, timeout: check.timeout) { [weak self] result in
                self?.assumeIsolated { $0.checked(result, of: number) }
            }
        }
    }

    private func checked(_ result: Result<HealthCheck.Score, any Error>, of number: UInt64) {
        let verdict = fitness?.checked(result, of: number, at: clock.now)
        switch verdict {
        case .well:
            isUnwell = false
            resumeIfFit()
        case .unwell(let why):
            isUnwell = true
            handle { $0.suspend(.unhealthy, at: $1) }
            let message = "the health check failed, so \"\(candidate.id)\" takes no part in the election: \(why)"
            announce(.error(ElectionError(.unhealthy, message, group: group.name)))
            tellHealth()
        case nil: tellHealth()
        }
        rearmHealth()
    }

    private func rearmHealth() {
        guard let wakeup = fitness?.wakeup else { return }
        healthTimer?.cancel()
        healthTimer = clock.schedule(at: wakeup) { [weak self, executor] in
            guard let self else { return }
            executor.execute { self.assumeIsolated { $0.checkHealth() } }
        }
    }
}
