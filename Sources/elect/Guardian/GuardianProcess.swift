// SPDX-License-Identifier: MIT

#if os(Linux)
internal import CElectionSystem
internal import CElectCommand

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// The process between `elect run` and its command, one for each term.
///
/// It outlives an `elect` that is killed and goes on when `elect` is stopped; it holds the store's kernel locks open,
/// so that nobody can lead before it has ended; and it ends when nothing of the command is left.
struct GuardianProcess {
    /// The hidden first argument that makes this program a guardian.
    static let argument = "__guardian"

    private let channel: PacketChannel
    private let timer: BootTimer
    private let childSignals: Int32
    private let invocation: GuardianInvocation
    private var plan: GuardianPlan
    private var command: pid_t
    private var commandEnd: elect_end?
    private var isOrphaned = false
    private var told: Set<pid_t> = []

    /// Runs as guardian and returns the exit code of this process.
    static func main(_ arguments: [String]) -> Int32 {
        guard let invocation = GuardianInvocation(arguments) else {
            complain("\(argument) is for elect itself; use `elect run`")
            return 64
        }
        for descriptor in [invocation.channel] + invocation.kept {
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        }
        elect_name_process("elect-guardian")
        elect_adopt_orphans()

        // Whoever signals the guardian means elect or the command; both get the signal too. It stays until the end.
        var all = sigset_t()
        sigfillset(&all)
        sigprocmask(SIG_BLOCK, &all, nil)
        var childSignal = sigset_t()
        sigemptyset(&childSignal)
        sigaddset(&childSignal, SIGCHLD)
        let childSignals = signalfd(-1, &childSignal, Int32(SFD_CLOEXEC) | Int32(SFD_NONBLOCK))
        guard childSignals >= 0, let timer = BootTimer() else {
            complain("no file descriptor left for the guardian")
            return 71
        }
        let channel = PacketChannel(descriptor: invocation.channel)

        // The first order says until when; elect may also be dead already.
        BootTimer.waitForAny([channel.descriptor])
        guard case .packet(let text) = channel.receive(), case .deadline(let deadline) = GuardianOrder(text) else {
            return 0
        }
        let plan = GuardianPlan(deadline: deadline, budgets: invocation.budgets)
        guard plan.mayStart(at: elect_boot_nanoseconds()) else {
            channel.post(GuardianReport.tooLate.text)
            return 0
        }
        var error: Int32 = 0
        let command = withCStrings(invocation.command) { arguments in
            elect_spawn_command(arguments, environ, invocation.openFiles, &error)
        }
        guard command > 0 else {
            channel.post(GuardianReport.failed(error: error).text)
            return 0
        }
        channel.post(GuardianReport.started(process: command).text)
        var guardian = GuardianProcess(
            channel: channel,
            timer: timer,
            childSignals: childSignals,
            invocation: invocation,
            plan: plan,
            command: command
        )
        return guardian.watch()
    }

    private mutating func watch() -> Int32 {
        while true {
            readOrders()
            if reapIsComplete() { break }
            act(plan.due(at: elect_boot_nanoseconds()))
            timer.set(plan.nextWake(after: elect_boot_nanoseconds()))
            BootTimer.waitForAny([timer.descriptor, childSignals] + (isOrphaned ? [] : [channel.descriptor]))
            timer.drain()
            drainChildSignals()
        }
        let end = commandEnd ?? elect_end()
        channel.post(GuardianReport.ended(code: end.code, signal: end.signal, cause: plan.cause).text)
        return 0
    }

    private mutating func readOrders() {
        while !isOrphaned {
            switch channel.receive() {
            case .nothing: return
            case .closed:
                isOrphaned = true
                act(plan.orphaned())
            case .packet(let text):
                switch GuardianOrder(text) {
                case .deadline(let instant): plan.extend(to: instant, at: elect_boot_nanoseconds())
                case .stop: act(plan.stop(at: elect_boot_nanoseconds()))
                case .kill: act(plan.killNow())
                case nil: break
                }
            }
        }
    }

    /// Notices who has ended; the command itself is reaped last, so that its number keeps naming its group.
    private mutating func reapIsComplete() -> Bool {
        if commandEnd == nil {
            var end = elect_end()
            if elect_peek_end(command, &end) == 1 {
                commandEnd = end
                act(plan.commandEnded(at: elect_boot_nanoseconds()))
            }
        }
        let others = ProcessTree.reap(ProcessTree.children().filter { $0 != command })
        if plan.isEnding { tell(others) }
        guard commandEnd != nil, others.isEmpty else { return false }
        var end = elect_end()
        if command > 0 {
            _ = elect_reap(command, 0, &end)
            command = 0
        }
        // The list of children may have missed one; this asks the kernel for certain.
        while elect_reap(-1, 0, &end) == 1 {}
        return elect_reap(-1, 0, &end) < 0
    }

    private mutating func act(_ actions: [GuardianPlan.Action]) {
        for action in actions {
            let number = action == .kill ? SIGKILL : SIGTERM
            if command > 0 { ProcessTree.signalGroup(number, of: command) }
            tell(ProcessTree.children().filter { $0 != command })
        }
    }

    /// Reaches those that left the group: once with `SIGTERM`, as often as it takes with `SIGKILL`.
    private mutating func tell(_ others: [pid_t]) {
        if plan.isKilling {
            ProcessTree.signal(SIGKILL, to: others)
        } else {
            let strangers = others.filter { getpgid($0) != command && told.insert($0).inserted }
            ProcessTree.signal(SIGTERM, to: strangers)
        }
    }

    private func drainChildSignals() {
        var info = signalfd_siginfo()
        while read(childSignals, &info, MemoryLayout<signalfd_siginfo>.size) > 0 {}
    }

    private static func complain(_ text: String) {
        var bytes = Array("elect: \(text)\n".utf8)
        _ = write(2, &bytes, bytes.count)
    }
}

/// Calls `body` with a null-terminated array of C strings.
func withCStrings<Result>(
    _ strings: [String],
    _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    return pointers.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { preconditionFailure("the array has a last element") }
        return body(base)
    }
}
#endif
