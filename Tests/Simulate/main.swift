// SPDX-License-Identifier: MIT

internal import ElectionSimulation

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// `simulate [--seeds COUNT] [--from SEED] [--seed SEED] [--keep-going]`; see `scripts/simulate`.
struct Simulate {
    private var first: UInt64 = 1
    private var count: UInt64 = 1000
    private var isReplay = false
    private var keepsGoing = false
    private var label = ""

    init(_ arguments: [String]) {
        var arguments = arguments[...]
        while let argument = arguments.popFirst() {
            switch argument {
            case "--seeds": count = Self.number(&arguments)
            case "--from": first = Self.number(&arguments)
            case "--seed":
                (first, count, isReplay) = (Self.number(&arguments), 1, true)
            case "--keep-going": keepsGoing = true
            case "--label": label = arguments.popFirst() ?? ""
            default: Self.leave("unknown option \(argument)")
            }
        }
    }

    private static func number(_ arguments: inout ArraySlice<String>) -> UInt64 {
        guard let text = arguments.popFirst(), let number = UInt64(text) else { leave("a number is missing") }
        return number
    }

    private static func leave(_ message: String) -> Never {
        print("simulate: \(message)")
        print("usage: simulate [--seeds COUNT] [--from SEED] [--seed SEED] [--keep-going] [--label TEXT]")
        exit(64)
    }

    func run() throws -> Int32 {
        var broken: [String: (seeds: Int, first: UInt64)] = [:]
        var steps = 0
        var simulated = 0.0
        let start = ContinuousClock.now
        for seed in first..<(first + count) {
            let report = try Simulation.run(seed: seed, isTracing: isReplay)
            steps += report.steps
            simulated += Double(report.simulatedNanoseconds) / 1e9
            guard let violation = report.violation else {
                if isReplay { for line in report.lines { print(line) } }
                continue
            }
            let known = broken[violation.invariant] ?? (0, seed)
            broken[violation.invariant] = (known.seeds + 1, known.first)
            if !keepsGoing {
                try explain(report)
                print("violation \(violation.invariant) seed \(seed) after \(seed - first + 1)")
                return 1
            }
        }
        let perMinute = Int(Double(count) / ((ContinuousClock.now - start) / .seconds(60)))
        print("\(count) seeds, \(steps) steps, \(Int(simulated)) simulated seconds, \(perMinute) seeds a minute")
        for (invariant, cases) in broken.sorted(by: { $0.key < $1.key }) {
            print("\(invariant) broken by \(cases.seeds) seeds, first by \(cases.first)")
        }
        return broken.isEmpty ? 0 : 1
    }

    private func explain(_ report: SimulationReport) throws {
        let replay = try Simulation.run(seed: report.seed, isTracing: true)
        for line in replay.lines { print(line) }
        print("seed \(report.seed) broke \(report.violation.map { "\($0)" } ?? "nothing")")
        if replay.fingerprint != report.fingerprint { print("and its second run went another way: not deterministic") }
        print("replay: scripts/simulate --seed \(report.seed)\(label)")
    }
}

exit(try Simulate(Array(CommandLine.arguments.dropFirst())).run())
