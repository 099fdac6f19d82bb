// SPDX-License-Identifier: MIT

#if !ServiceLifecycle

extension ElectionService {
    /// Takes part in the election until the task is cancelled or ``stop()`` is called.
    ///
    /// Returns once work under ``whileLeader(_:)`` has ended, or did not within the shutdown time-out, and the lease
    /// was given back. A store that is away never ends it: it keeps trying and reports events.
    ///
    /// - Throws: ``ElectionError/Code/alreadyRun`` when called a second time.
    public func run() async throws {
        try await campaign()
    }
}

/// Runs `operation`; without ServiceLifecycle nobody else can ask it to end.
func withShutdownHook<Result>(
    _ operation: () async throws -> Result,
    onShutdown: @escaping @Sendable () -> Void
) async rethrows -> Result {
    try await operation()
}

#endif
