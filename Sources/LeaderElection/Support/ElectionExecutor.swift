// SPDX-License-Identifier: MIT

/// Where the engine's state lives: one thing at a time, never on the cooperative pool.
///
/// ``SerialThread`` in programs; a queue that the simulation drains in virtual time.
package protocol ElectionExecutor: SerialExecutor, TaskExecutor {
    /// Runs `work` here after everything that was handed over before.
    func execute(_ work: @escaping @Sendable () -> Void)

    /// Runs `work` here before everything that ``execute(_:)`` was given, but not in the middle of anything.
    ///
    /// Tasks come in this order, too: what has begun is finished before the next thing begins.
    func executeNext(_ work: @escaping @Sendable () -> Void)

    /// Runs `work` here once nothing else is due, in the order given.
    ///
    /// For telling: waking somebody who listens costs more than most decisions, and the next leader waits for those.
    func executeLast(_ work: @escaping @Sendable () -> Void)
}

extension SerialThread: ElectionExecutor {}
