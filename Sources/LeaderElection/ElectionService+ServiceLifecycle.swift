// SPDX-License-Identifier: MIT

#if ServiceLifecycle

public import ServiceLifecycle

extension ElectionService: Service {
    /// Takes part in the election until the task is cancelled, ``stop()`` is called, or the service group shuts down.
    ///
    /// Returns once work under ``whileLeader(_:)`` has ended, or did not within the shutdown time-out, and the lease
    /// was given back. A store that is away never ends it: it keeps trying and reports events.
    ///
    /// - Throws: ``ElectionError/Code/alreadyRun`` when called a second time.
    public func run() async throws {
        try await withGracefulShutdownHandler {
            try await campaign()
        } onGracefulShutdown: {
            self.stop()
        }
    }
}

/// Runs `operation`, and `onShutdown` when the service group of the calling task begins to shut down.
func withShutdownHook<Result>(
    _ operation: () async throws -> Result,
    onShutdown: @escaping @Sendable () -> Void
) async rethrows -> Result {
    try await withGracefulShutdownHandler(operation: operation, onGracefulShutdown: onShutdown)
}

#endif
