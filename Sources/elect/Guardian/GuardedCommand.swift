// SPDX-License-Identifier: MIT

#if os(Linux)
internal import CElectionSystem
internal import CElectCommand
internal import LeaderElection
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A command under a guardian, as `elect` sees it.
final class GuardedCommand: Sendable {
    /// How it ended; in every case nothing of the command is left.
    enum End: Sendable, Equatable {
        /// It ran; `signal` is 0 if it returned `code` itself.
        case ended(code: Int32, signal: Int32, cause: GuardianPlan.Cause)
        /// It cannot be run, with the system's error number.
        case cannotRun(error: Int32)
        /// There was too little of the lease left to start it.
        case tooLate
        /// Somebody killed the guardian, or it did not answer; the command was killed.
        case guardianLost
    }

    /// How long a guardian may take to kill: it is as good at it as we are, unless it is stopped.
    private static let patience: Int64 = 500_000_000

    /// The guardians of this process that were not reaped: what dead ones leave behind must not be mistaken for these.
    ///
    /// Locked while one is started or reaped, and while a number that stands here, or does not, is acted on.
    private static let guardians = Mutex<Set<pid_t>>([])

    private let channel: PacketChannel
    private let timer: BootTimer
    private let guardian: pid_t
    private let budgets: GuardianPlan.Budgets
    private let olderChildren: Set<pid_t>
    private let limits: Mutex<Limits>

    private struct Limits {
        var deadline: Int64
        /// When the guardian has had its chance: later than its own last act, but early enough for ours.
        var lastResort: Int64
        /// The descriptors are closed: their numbers may be somebody else's by now.
        var isClosed = false
    }

    /// Starts the guardian, which starts the command.
    ///
    /// - Parameters:
    ///   - command: program and arguments; the program is looked up in `PATH`.
    ///   - environment: added to this process' own.
    ///   - locks: descriptors that the guardian is to hold open until nothing of the command is left.
    ///   - openFiles: the command's soft limit of descriptors.
    ///   - deadline: until when the lease is valid.
    init(
        _ command: [String],
        environment: [String: String],
        locks: [Int32],
        budgets: GuardianPlan.Budgets,
        openFiles: UInt64,
        deadline: ElectionInstant
    ) throws {
        // What a dead guardian leaves behind comes to this process, which then ends it.
        elect_adopt_orphans()
        olderChildren = Set(ProcessTree.children())
        guard let (own, other) = PacketChannel.pair() else { throw Self.outOf("sockets") }
        defer { other.close() }
        guard let timer = BootTimer() else {
            own.close()
            throw Self.outOf("timers")
        }
        let invocation = GuardianInvocation(
            channel: other.descriptor,
            kept: locks,
            budgets: budgets,
            openFiles: openFiles,
            command: command
        )
        var error: Int32 = 0
        let arguments = ["elect", GuardianProcess.argument] + invocation.arguments
        let kept = [other.descriptor] + locks
        guardian = Self.guardians.withLock { guardians in
            let guardian = withCStrings(arguments) { arguments in
                withCStrings(Self.environment(adding: environment)) { variables in
                    elect_spawn_guardian(arguments, variables, kept, Int32(kept.count), &error)
                }
            }
            if guardian > 0 { guardians.insert(guardian) }
            return guardian
        }
        guard guardian > 0 else {
            own.close()
            timer.close()
            throw ElectionError(
                .storeUnavailable,
                "cannot start the guardian of the command: \(String(cString: strerror(error)))"
            )
        }
        channel = own
        self.timer = timer
        self.budgets = budgets
        let lastResort = deadline.nanoseconds - budgets.kill / 2
        limits = Mutex(Limits(deadline: deadline.nanoseconds, lastResort: lastResort))
        timer.set(lastResort)
        channel.post(GuardianOrder.deadline(deadline.nanoseconds).text)
    }

    /// The lease was prolonged.
    func extend(to instant: ElectionInstant) {
        limits.withLock { limits in
            guard !limits.isClosed, instant.nanoseconds > limits.deadline else { return }
            limits.deadline = instant.nanoseconds
            limits.lastResort = instant.nanoseconds - budgets.kill / 2
            channel.post(GuardianOrder.deadline(instant.nanoseconds).text)
        }
    }

    /// Tells the command to end, and kills it if it has not ended shortly before the deadline.
    func stop() {
        limits.withLock { limits in
            if !limits.isClosed { channel.post(GuardianOrder.stop.text) }
        }
    }

    /// Kills the command.
    func kill() {
        limits.withLock { limits in
            guard !limits.isClosed else { return }
            channel.post(GuardianOrder.kill.text)
            // The deadline does not move any more.
            limits.deadline = .max
            limits.lastResort = min(limits.lastResort, elect_boot_nanoseconds() + Self.patience)
            timer.set(limits.lastResort)
        }
    }

    /// Returns when nothing of the command is left; to be called once.
    func waitForEnd(started: @escaping @Sendable (pid_t) -> Void) async -> End {
        let thread = SerialThread(name: "elect-command")
        return await withCheckedContinuation { continuation in
            thread.execute { continuation.resume(returning: self.watch(started)) }
        }
    }

    private func watch(_ started: (pid_t) -> Void) -> End {
        defer {
            limits.withLock { limits in
                limits.isClosed = true
                channel.close()
                timer.close()
            }
        }
        var process: pid_t?
        var end: End?
        watching: while true {
            reading: while true {
                switch channel.receive() {
                case .nothing: break reading
                case .closed: break watching
                case .packet(let text):
                    switch GuardianReport(text) {
                    case .started(let number):
                        process = number
                        started(number)
                    case .failed(let error): end = .cannotRun(error: error)
                    case .tooLate: end = .tooLate
                    case .ended(let code, let signal, let cause):
                        end = .ended(code: code, signal: signal, cause: cause)
                    case nil: break
                    }
                }
            }
            let latest = limits.withLock { $0.lastResort }
            if end == nil, elect_boot_nanoseconds() >= latest {
                // Whatever it is busy with: its children come to us, and we end them.
                ProcessTree.signal(SIGKILL, to: [guardian])
                BootTimer.waitForAny([channel.descriptor])
            } else {
                timer.set(end == nil ? latest : .max)
                BootTimer.waitForAny([channel.descriptor, timer.descriptor])
                timer.drain()
            }
        }
        // Its children are ours from here on, but not before it is reaped.
        Self.guardians.withLock { guardians in
            var last = elect_end()
            _ = elect_reap(guardian, 1, &last)
            guardians.remove(guardian)
        }
        if let end { return end }
        endOrphans(process)
        return .guardianLost
    }

    /// Kills what a dead guardian left behind, level by level.
    private func endOrphans(_ command: pid_t?) {
        let ownSession = getsid(0)
        var pause: Int32 = 1
        while true {
            if let command { ProcessTree.signalGroup(SIGKILL, of: command) }
            let areGone = Self.guardians.withLock { guardians in
                let orphans = ProcessTree.children().filter { process in
                    // Older children, and what these leave behind, share our session; nothing of the command does.
                    !olderChildren.contains(process) && !guardians.contains(process) && getsid(process) != ownSession
                }
                ProcessTree.signal(SIGKILL, to: orphans)
                return ProcessTree.reap(orphans).isEmpty && orphans.isEmpty
            }
            if areGone { return }
            _ = poll(nil, 0, pause)
            pause = min(50, pause * 2)
        }
    }

    private static func environment(adding: [String: String]) -> [String] {
        var result: [String] = []
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            let name = text.prefix { $0 != "=" }
            if adding[String(name)] == nil { result.append(text) }
            next += 1
        }
        return result + adding.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    }

    private static func outOf(_ what: String) -> ElectionError {
        ElectionError(.storeUnavailable, "no file descriptor left for \(what); raise the limit (ulimit -n)")
    }
}
#endif
