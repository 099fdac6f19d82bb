// SPDX-License-Identifier: MIT

internal import ArgumentParser
internal import LeaderElection

struct Resign: StandDownCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have the present leader end its term in an orderly way.",
        discussion: """
            The leader ends its work, gives the lease back, and stays out of the election for --stand-down. To drain a
            machine, stop its service instead, or use elect transfer. Ends with 1 if nobody leads or the leader did not
            do it in time, with 69 if the store is unavailable.

            EXAMPLES
              elect resign --provider redis://cache.internal --group billing
              elect resign --provider redis://cache.internal --group billing --stand-down 5m
            """
    )

    @OptionGroup var options: OperatorOptions

    @Option(help: Self.standDownHelp)
    var standDown: String?

    func run() async throws {
        try await end { try await $0.resign(standingDownFor: $1, within: $2) }
    }
}

struct Evict: StandDownCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have the present leader give its term up at once.",
        discussion: """
            As elect resign, but the leader does not wait for its work: that is told to end, and as long as it goes on the
            lease is kept for at most its length to hold others off. A leader that is dead, stopped or cut off needs no
            eviction: its lease runs out.

            EXAMPLES
              elect evict --provider redis://cache.internal --group billing --stand-down 1h
            """
    )

    @OptionGroup var options: OperatorOptions

    @Option(help: Self.standDownHelp)
    var standDown: String?

    func run() async throws {
        try await end { try await $0.evict(standingDownFor: $1, within: $2) }
    }
}

/// A command that ends the present term without naming the next leader.
///
/// Not a group of options of its own: each level of groups multiplies the time in which a command line is parsed.
protocol StandDownCommand: AsyncParsableCommand {
    var options: OperatorOptions { get }
    var standDown: String? { get }
}

extension StandDownCommand {
    static var standDownHelp: ArgumentHelp {
        ArgumentHelp("How long the leader leaves leadership to others. Default 10s.", valueName: "time")
    }

    /// - Parameter end: ends the term and returns it, given how long to stand down and how long to wait.
    func end(_ end: (ElectionOperator, Duration, Duration) async throws -> Int64) async throws {
        try await options.run { asking, settings, timeout in
            let time = try settings.duration("stand-down", standDown, mayBeZero: true) ?? .seconds(10)
            let term = try await end(asking, time, timeout)
            return .init(text: "term \(term) has ended", endedTerm: term)
        }
    }
}
