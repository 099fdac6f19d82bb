// SPDX-License-Identifier: MIT

#if os(Linux)
internal import CElectionSystem
internal import CElectCommand
internal import ElectionFiles
internal import LeaderElection
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Runs the command of `elect run` in each term and decides what its end means.
final class RunSupervisor: Sendable {
    private struct State {
        var running: GuardedCommand?
        var stopSignal: Int32?
        var failure: CommandFailure?
    }

    let configuration: ElectionConfiguration
    private let command: [String]
    private let budgets: GuardianPlan.Budgets
    private let isOnce: Bool
    private let openFiles = elect_open_files_limit()
    private let state = Mutex(State())

    init(command: [String], configuration: ElectionConfiguration, gracePeriod: Duration?, isOnce: Bool) {
        let shutdown = configuration.shutdownTimeout ?? configuration.leaseDuration
        var configuration = configuration
        // The service must not give up on the work before the guardian has killed it.
        configuration.shutdownTimeout = shutdown + .seconds(1)
        self.configuration = configuration
        self.command = command
        self.isOnce = isOnce
        budgets = GuardianPlan.Budgets(
            leaseDuration: configuration.leaseDuration.wholeNanoseconds,
            gracePeriod: gracePeriod?.wholeNanoseconds,
            shutdownTimeout: shutdown.wholeNanoseconds
        )
    }

    /// What the program ends with.
    var result: CommandFailure {
        state.withLock { state in
            state.failure ?? CommandFailure(code: state.stopSignal.map { 128 + $0 } ?? 0, message: "")
        }
    }

    /// The first signal ends the command and the election, the second one kills the command.
    func signalled(_ number: Int32, count: Int, _ runner: CampaignRunner) {
        let running = state.withLock { state in
            state.stopSignal = state.stopSignal ?? number
            return state.running
        }
        runner.stop()
        if count > 1 { running?.kill() }
    }

    func supervise(_ service: ElectionService, _ provider: any ElectionProvider) async throws {
        try await withThrowingDiscardingTaskGroup { tasks in
            // On the engine's own thread: word of a renewal must not wait behind anything.
            tasks.addTask(executorPreference: SerialThread.engine) {
                for await event in service.events where event.kind == .renewed || event.kind == .recovered {
                    guard let until = event.validUntil else { continue }
                    self.state.withLock { $0.running }?.extend(to: until)
                }
            }
            try await service.whileLeader { leadership in
                await self.run(in: leadership, service, provider)
            }
        }
    }

    private func run(
        in leadership: Leadership,
        _ service: ElectionService,
        _ provider: any ElectionProvider
    ) async {
        guard let until = leadership.validUntil, !Task.isCancelled else { return }
        let guarded: GuardedCommand
        do {
            guarded = try GuardedCommand(
                command,
                environment: [
                    "ELECT_GROUP": leadership.group.name,
                    "ELECT_TERM": String(leadership.term),
                    "ELECT_CANDIDATE": leadership.candidate,
                ],
                locks: (provider as? any KernelHeldLeases)?.heldDescriptors(for: leadership.group) ?? [],
                budgets: budgets,
                openFiles: openFiles,
                deadline: until
            )
        } catch {
            Output.complain(ElectionError.wrapping(error).message)
            await termFailed(service)
            return
        }
        state.withLock { $0.running = guarded }
        // A renewal may have come in between.
        if let until = leadership.validUntil { guarded.extend(to: until) }
        let end = await withTaskCancellationHandler {
            await guarded.waitForEnd { process in
                Output.note("elect: term \(leadership.term): runs as process \(process)")
            }
        } onCancel: {
            // While the lease is still ours there is time to end in good order; after that there is none.
            if leadership.isValid { guarded.stop() } else { guarded.kill() }
        }
        state.withLock { $0.running = nil }
        await ended(end, leadership, service)
    }

    private func ended(_ end: GuardedCommand.End, _ leadership: Leadership, _ service: ElectionService) async {
        let isStopping = state.withLock { $0.stopSignal != nil }
        switch end {
        case .cannotRun(let error):
            finish(CommandLookup.failure(command[0], error: error), service)
        case .ended(let code, let signal, let cause) where cause == .itself || isStopping:
            let how = signal == 0 ? "ended with \(code)" : "was ended by signal \(signal)"
            Output.note("elect: term \(leadership.term): \(how)")
            finish(CommandFailure(code: signal == 0 ? code : 128 + signal, message: ""), service)
        case .ended(_, _, let cause):
            Output.note("elect: term \(leadership.term): was ended (\(cause.rawValue)): leadership is lost")
            await termFailed(service)
        case .tooLate:
            await termFailed(service)
        case .guardianLost:
            Output.complain("term \(leadership.term): its guardian was killed or hung; the command was killed")
            if isStopping {
                finish(CommandFailure(code: 128 + SIGKILL, message: ""), service)
            } else {
                await termFailed(service)
            }
        }
    }

    private func finish(_ failure: CommandFailure?, _ service: ElectionService) {
        state.withLock { state in state.failure = state.failure ?? failure }
        service.stop()
    }

    /// The command did not end by itself: this term is used up, even if its lease should still be renewed.
    private func termFailed(_ service: ElectionService) async {
        if isOnce {
            finish(CommandFailure(code: 75, message: "leadership was lost"), service)
        } else {
            await service.resign(standingDownFor: .milliseconds(100))
        }
    }
}
#endif
