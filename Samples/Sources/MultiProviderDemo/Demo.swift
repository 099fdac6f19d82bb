// SPDX-License-Identifier: MIT

internal import ChildProcesses
internal import Dispatch
internal import Foundation
internal import LeaderElection

/// Three candidates on each of three stores, and what happens to them.
///
/// Those in memory are services of this process; those on files and SQLite are processes of their own, so that they can
/// be killed and stopped. All changes arrive in one stream and are handled one after another.
struct Demo {
    enum Input: Sendable {
        case word(Word, Scene.Place)
        case ended(String, Scene.Place)
        case tick
        case interrupted
    }

    let duration: Double
    let directory: String
    var screen: Screen

    private var scene = Scene()
    private var children: [String: ChildProcess] = [:]
    private var orders: [String: AsyncStream<Order>.Continuation] = [:]
    private let store = InMemoryElectionStore()
    private let inputs: AsyncStream<Input>
    private let input: AsyncStream<Input>.Continuation
    private var steps = Script.steps[...]
    private var due: [(nanoseconds: Int64, deed: Script.Deed, place: Scene.Place, name: String)] = []

    init(duration: Double, directory: String, isPlain: Bool) {
        self.duration = duration
        self.directory = directory
        screen = Screen(isPlain: isPlain)
        (inputs, input) = AsyncStream.makeStream(of: Input.self)
    }

    mutating func run() async throws {
        // A child may be gone when it is written to.
        signal(SIGPIPE, SIG_IGN)
        let signals = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { [input] in input.yield(.interrupted) }
            source.resume()
            return source
        }
        defer { for source in signals { source.cancel() } }
        screen.open()
        defer { screen.close() }
        do {
            try await perform()
        } catch {
            endChildren()
            throw error
        }
    }

    private mutating func perform() async throws {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for place in Scene.Place.allCases {
                for number in 1...3 { try add("\(place.prefix)-\(number)", at: place, &tasks) }
            }
            tasks.addTask { [input] in
                while !Task.isCancelled {
                    input.yield(.tick)
                    try? await Task.sleep(for: .milliseconds(50))
                }
            }
            loop: for await next in inputs {
                switch next {
                case .word(let word, let place): scene.hear(word, at: place)
                case .ended(let name, let place):
                    children[name] = nil
                    scene[place].members[name]?.life = .killed
                case .interrupted: break loop
                case .tick:
                    let now = SystemClock().now.nanoseconds
                    if Double(now - scene.start) / 1e9 >= duration { break loop }
                    try act(at: now, &tasks)
                    screen.show(scene, duration: duration)
                }
            }
            screen.show(scene, duration: duration)
            endChildren()
            for order in orders.values { order.finish() }
            tasks.cancelAll()
            try await tasks.waitForAll()
        }
    }

    // MARK: Candidates

    private mutating func add(
        _ name: String,
        at place: Scene.Place,
        _ tasks: inout ThrowingTaskGroup<Void, any Error>
    ) throws {
        scene[place].members[name] = Scene.Member()
        let input = input
        if place == .memory {
            let participant = try Participant(name: name, provider: InMemoryElectionProvider(store: store))
            let (stream, continuation) = AsyncStream.makeStream(of: Order.self)
            orders[name] = continuation
            tasks.addTask { try await participant.run(orders: stream) { input.yield(.word($0, place)) } }
            return
        }
        let path = place == .file ? directory + "/file" : directory + "/election.db"
        let child = try ChildProcess(arguments: ["candidate", place.prefix, path, name])
        children[name] = child
        scene[place].members[name]?.process = child.id
        tasks.addTask {
            for await line in child.lines {
                if let word = try? JSONDecoder().decode(Word.self, from: Data(line.utf8)) {
                    input.yield(.word(word, place))
                }
            }
            input.yield(.ended(name, place))
        }
    }

    private func endChildren() {
        // SIGKILL, since one of them may be stopped; their leases go with them.
        for child in children.values { child.signal(SIGKILL) }
    }

    // MARK: The script

    private mutating func act(at now: Int64, _ tasks: inout ThrowingTaskGroup<Void, any Error>) throws {
        if let step = steps.first, Double(now - scene.start) / 1e9 >= step.second {
            steps.removeFirst()
            if let name = scene[step.place].leader { try perform(step.deed, on: name, at: step.place, &tasks) }
            if steps.isEmpty { steps = Script.again(after: step.second)[...] }
        }
        while let index = due.firstIndex(where: { $0.nanoseconds <= now }) {
            let next = due.remove(at: index)
            try perform(next.deed, on: next.name, at: next.place, &tasks)
        }
    }

    private mutating func perform(
        _ deed: Script.Deed,
        on name: String,
        at place: Scene.Place,
        _ tasks: inout ThrowingTaskGroup<Void, any Error>
    ) throws {
        let process = children[name]?.id ?? 0
        let now = SystemClock().now.nanoseconds
        switch deed {
        case .kill:
            scene[place].cause = ("kill -9", now)
            scene[place].leader = nil
            scene.note(now, place, "kill -9 \(process): \(name), which leads")
            children[name]?.signal(SIGKILL)
            due.append((now + 2_000_000_000, .restart, place, name))
        case .stop:
            scene[place].members[name]?.life = .paused
            scene[place].cause = ("SIGSTOP", now)
            scene.note(now, place, "SIGSTOP \(process): \(name), which leads, is paused for 5 s")
            children[name]?.signal(SIGSTOP)
            due.append((now + 5_000_000_000, .goOn, place, name))
        case .goOn:
            scene[place].members[name]?.life = .follows
            if scene[place].leader == name { scene[place].cause = ("SIGCONT", now) }
            scene.note(now, place, "SIGCONT \(process): \(name) goes on; its term is over by its own clock")
            children[name]?.signal(SIGCONT)
        case .resign:
            if place == .memory { orders[name]?.yield(.resign) } else { children[name]?.send(Order.resign.rawValue) }
        case .restart:
            scene.note(now, place, "\(name) is started again")
            try add(name, at: place, &tasks)
        }
    }

    /// What was measured, a line for each store and kind of hand-over.
    var summary: [String] {
        Scene.Place.allCases.flatMap { place -> [String] in
            let kinds = Dictionary(grouping: scene[place].handOvers, by: \.what)
            return kinds.sorted { $0.key < $1.key }.map { what, all in
                let sorted = all.map(\.milliseconds).sorted()
                let median = sorted[sorted.count / 2]
                return "\(padRight(place.name, 11)) next leader after \(padRight(what, 12)) "
                    + "median \(padRight(Scene.text(median), 9)) of \(sorted.count)"
            }
        }
    }
}
