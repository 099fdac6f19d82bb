// SPDX-License-Identifier: MIT

internal import ArgumentParser
internal import LeaderElection

struct Resign: AsyncParsableCommand {
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

    @Option(help: ArgumentHelp("How long the leader leaves leadership to others. Default 10s.", valueName: "time"))
    var standDown: String?

    func run() async throws {
        try await options.run { asking, settings, timeout in
            let term = try await asking.resign(standingDownFor: settings.standingDown(standDown), within: timeout)
            return .init(text: "term \(term) has ended", term: term, leader: nil)
        }
    }
}

struct Evict: AsyncParsableCommand {
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

    @Option(help: ArgumentHelp("How long the leader leaves leadership to others. Default 10s.", valueName: "time"))
    var standDown: String?

    func run() async throws {
        try await options.run { asking, settings, timeout in
            let term = try await asking.evict(standingDownFor: settings.standingDown(standDown), within: timeout)
            return .init(text: "term \(term) has ended", term: term, leader: nil)
        }
    }
}
