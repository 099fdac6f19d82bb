// SPDX-License-Identifier: MIT

internal import ArgumentParser
internal import LeaderElection

struct Transfer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have the present leader hand its leadership to a candidate of your choice.",
        discussion: """
            The candidate is asked first. Then the leader's work ends while its lease is still renewed, and the lease moves
            in one write: nobody else can come between. If the candidate is gone, suspended or does not answer, nothing
            changes. elect status shows who waits. Ends with 0 once the candidate leads, with 1 if leadership was not
            handed over, with 69 if the store is unavailable.

            EXAMPLES
              elect transfer --provider postgres://db.internal/app --group billing --to host-b-4711-a3f2
            """
    )

    @OptionGroup var options: OperatorOptions

    @Option(help: ArgumentHelp("The candidate that is to lead.", valueName: "candidate"))
    var to: String?

    func run() async throws {
        try await options.run { asking, settings, timeout in
            guard let heir = try settings.text("to", to) else {
                throw CommandFailure.usage(
                    "nobody to hand leadership to; give --to CANDIDATE, as elect status shows them"
                )
            }
            let leader = try await asking.transfer(to: heir.texts[0], within: timeout)
            return .init(text: "\(leader.id) leads in term \(leader.term)", leader: leader)
        }
    }
}
