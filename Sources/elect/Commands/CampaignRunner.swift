// SPDX-License-Identifier: MIT

internal import CElectCommand
internal import LeaderElection
internal import Synchronization

/// Runs the services of one process: events, history, signals, until all have stopped.
final class CampaignRunner: Sendable {
    let services: [ElectionService]
    private let candidate: String
    private let printer: EventPrinter
    private let history: HistoryFile?
    private let interval: Duration?
    private let output = SerialThread(name: "elect-output")
    private let signals = SerialThread(name: "elect-signals")

    init(
        groups: [String],
        provider: any ElectionProvider,
        configuration: ElectionConfiguration,
        preparation: HelperCommand? = nil,
        printer: EventPrinter,
        history: (file: HistoryFile, interval: Duration?)?
    ) throws {
        self.history = history?.file
        interval = history?.interval
        candidate = configuration.candidate
        self.printer = printer
        var audit: (@Sendable (ElectionOperation) -> Void)?
        if let file = history?.file { audit = { file.append($0, of: configuration.candidate) } }
        var services: [ElectionService] = []
        do {
            for group in groups {
                var configuration = configuration
                configuration.prepare = preparation?.preparation(of: group, configuration)
                let service = try ElectionService(group, provider: provider, configuration: configuration, audit: audit)
                services.append(service)
            }
        } catch let error as ElectionError {
            throw CommandFailure(error)
        }
        self.services = services
    }

    /// Takes over the options that were read anew and can change; if one cannot be used, none.
    func change(_ options: CandidateOptions, _ fresh: Settings, _ changed: Set<String>) throws {
        let priority = try fresh.count("priority", nil, in: -1000...1000) ?? 0
        if !changed.isDisjoint(with: HelperOptions.changeable) {
            let check = try options.helpers.check(fresh, candidate: candidate)
            guard let check, services.allSatisfy(\.hasHealthCheck) else {
                throw CommandFailure.usage(
                    "\(fresh.path.map { "\($0): " } ?? "")health-check can become another one while elect runs, but "
                        + "not come or go; restart it, or undo the change"
                )
            }
            try CommandFailure.translating { for service in services { try service.changeHealthCheck(to: check) } }
        }
        if changed.contains("priority") {
            try CommandFailure.translating { for service in services { try service.changePriority(to: priority) } }
        }
    }

    func stop() {
        for service in services { service.stop() }
    }

    /// Calls `handle` with each signal that asks the program to end and how many there were, on a thread of its own.
    func onStopSignal(_ handle: @escaping @Sendable (Int32, Int) -> Void) {
        signals.execute {
            var count = 0
            while true {
                let number = elect_wait_for_stop_signal()
                guard number > 0 else { return }
                count += 1
                handle(number, count)
            }
        }
    }

    /// Takes part until stopped; `alongside` runs as long as the services do.
    func run(alongside: (@Sendable (ElectionService) async throws -> Void)? = nil) async throws {
        let sampler = interval.flatMap { interval in
            history.map { ClaimSampler(services, of: candidate, every: interval, into: $0) }
        }
        defer { sampler?.stop() }
        let (subscribed, continuation) = AsyncStream.makeStream(of: Never.self)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask(executorPreference: self.output) {
                let isWanted = { @Sendable [printer = self.printer, keepsAll = self.history != nil] event in
                    keepsAll || printer.prints(event)
                }
                var events = ElectionEvents(of: self.services, where: isWanted).makeAsyncIterator()
                continuation.finish()
                while let event = await events.next() { self.tell(event) }
            }
            // Nothing may happen before somebody listens.
            for await _ in subscribed {}
            for service in services {
                tasks.addTask { try await service.run() }
                if let alongside { tasks.addTask { try await alongside(service) } }
            }
            try await tasks.waitForAll()
        }
    }

    private func tell(_ event: ElectionEvent) {
        history?.append(event)
        // A reader that has gone away, such as head(1), has seen enough.
        if !printer.print(event), printer.descriptor == 1 { stop() }
    }
}
