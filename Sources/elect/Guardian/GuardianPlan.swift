// SPDX-License-Identifier: MIT

/// When the guardian sends which signal: every decision about the life of a command, with time as an argument.
///
/// Instants are nanoseconds of the boot clock. The command is told to end (`SIGTERM`) at `deadline - term` and is gone
/// (`SIGKILL`) from `deadline - kill` on, whoever else is alive to care.
struct GuardianPlan: Sendable, Equatable {
    /// How long before the deadline things happen, in nanoseconds.
    struct Budgets: Sendable, Equatable {
        /// `SIGTERM` is sent this long before the deadline.
        var term: Int64
        /// `SIGKILL` is sent this long before the deadline.
        var kill: Int64
        /// A command that was told to end gets at most this long, even if the lease goes on being renewed.
        var shutdown: Int64
    }

    /// Why the command was told to end.
    enum Cause: String, Sendable {
        /// Nobody told it: it ended by itself.
        case itself
        /// The deadline came near and nobody had moved it.
        case deadline
        /// `elect` asked for it.
        case stop
        /// `elect` asked for it to be gone at once.
        case kill
        /// `elect` is dead.
        case orphaned
    }

    /// What to do now.
    enum Action: Sendable, Equatable {
        case terminate
        case kill
    }

    private enum Phase: Sendable, Equatable {
        case running
        case terminating(until: Int64)
        case killing
    }

    private(set) var deadline: Int64
    private(set) var cause = Cause.itself
    let budgets: Budgets
    private var phase = Phase.running

    init(deadline: Int64, budgets: Budgets) {
        self.deadline = deadline
        self.budgets = budgets
    }

    /// Whether there is enough time left to start a command at all.
    func mayStart(at now: Int64) -> Bool { now < deadline - budgets.term }

    /// Whether everything is to be killed as soon as it is found.
    var isKilling: Bool { phase == .killing }

    /// Whether everything that is found is to be told to end.
    var isEnding: Bool { phase != .running }

    /// The lease was prolonged.
    ///
    /// It never moves backwards: what was granted once holds. Nor is it revived: word that
    /// arrives after the deadline, such as after a pause of the whole machine, is about a lease that has ended.
    mutating func extend(to newDeadline: Int64, at now: Int64) {
        if now < deadline { deadline = max(deadline, newDeadline) }
    }

    /// `elect` wants the command to end; it has until shortly before the deadline, and no longer than `shutdown`.
    mutating func stop(at now: Int64) -> [Action] {
        terminate(.stop, until: now + budgets.shutdown, at: now)
    }

    /// `elect` wants everything to be gone now.
    mutating func killNow() -> [Action] { kill(.kill) }

    /// `elect` is dead, so the store may already be about to hand the group over.
    mutating func orphaned() -> [Action] { kill(.orphaned) }

    /// The command itself has ended, which ends whatever it left behind.
    mutating func commandEnded(at now: Int64) -> [Action] {
        terminate(cause, until: now + min(budgets.shutdown, 1_000_000_000), at: now)
    }

    /// What has become due.
    mutating func due(at now: Int64) -> [Action] {
        switch phase {
        case .running:
            guard now >= deadline - budgets.term else { return [] }
            return terminate(.deadline, until: now + budgets.shutdown, at: now)
        case .terminating(let until):
            guard now >= min(until, deadline - budgets.kill) else { return [] }
            phase = .killing
            return [.kill]
        case .killing:
            return [.kill]
        }
    }

    /// When ``due(at:)`` has to be asked next at the latest; while killing, whoever shows up is killed at once.
    func nextWake(after now: Int64) -> Int64 {
        switch phase {
        case .running: deadline - budgets.term
        case .terminating(let until): min(until, deadline - budgets.kill)
        case .killing: now + 2_000_000
        }
    }

    private mutating func terminate(_ cause: Cause, until: Int64, at now: Int64) -> [Action] {
        guard phase == .running else { return [] }
        self.cause = cause
        phase = .terminating(until: until)
        return [.terminate] + due(at: now)
    }

    private mutating func kill(_ cause: Cause) -> [Action] {
        if phase == .running { self.cause = cause }
        phase = .killing
        return [.kill]
    }
}

extension GuardianPlan.Budgets {
    /// The times that `elect run` uses for a lease.
    ///
    /// `kill` is a fiftieth of the lease, at least 50 ms; `term` is the grace period if there is one, otherwise a sixth
    /// of the lease, and at least twice `kill`. The deadline itself lies a twentieth of the lease (at least 100 ms)
    /// before the instant at which the store could hand the group over.
    init(leaseDuration: Int64, gracePeriod: Int64?, shutdownTimeout: Int64) {
        kill = max(50_000_000, leaseDuration / 50)
        term = max(2 * kill, gracePeriod ?? leaseDuration / 6)
        shutdown = shutdownTimeout
    }
}
