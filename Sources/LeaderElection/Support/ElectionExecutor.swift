// SPDX-License-Identifier: MIT

/// Where the engine's state lives: one thing at a time, never on the cooperative pool.
///
/// ``SerialThread`` in programs; a queue that the simulation drains in virtual time.
package protocol ElectionExecutor: SerialExecutor, TaskExecutor {
    /// Runs `work` here after everything that was handed over before.
    func execute(_ work: @escaping @Sendable () -> Void)
}

extension SerialThread: ElectionExecutor {}
