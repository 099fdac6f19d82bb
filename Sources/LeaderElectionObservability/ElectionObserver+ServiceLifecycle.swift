// SPDX-License-Identifier: MIT

#if Observability && ServiceLifecycle
public import ServiceLifecycle

extension ElectionObserver: Service {
    /// Waits until its service group shuts down, and then until the last measurements were told, for a second at most.
    ///
    /// Observing does not depend on it. In a service group put the observer before its elections, so that it ends after
    /// them. A backend that blocks holds up no shutdown for longer than that second.
    public func run() async {
        do { try await gracefulShutdown() } catch { return }
        await flush()
    }
}
#endif
