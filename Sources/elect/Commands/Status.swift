// SPDX-License-Identifier: MIT

internal import ArgumentParser
internal import LeaderElection
internal import Logging

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say who leads, in which term, and for how long if nothing is heard of it.",
        discussion: """
            Only reads. Ends with 0 whether somebody leads or not, and with 69 if the store cannot be read.

            EXAMPLES
              elect status --provider sqlite:///tmp/demo.db --group billing
              elect status --provider sqlite:///tmp/demo.db --group billing --json | jq -r .leader
            """
    )

    @OptionGroup var store: StoreOptions

    @Option(help: ArgumentHelp("Which group.", valueName: "name"))
    var group: String?

    @Flag(help: "One JSON object instead of text for people.")
    var json = false

    func run() async throws {
        let settings = try store.settings()
        let url = try store.store(settings)
        guard let name = try settings.text("group", group) else {
            throw CommandFailure.usage("no group; give --group NAME")
        }
        let group = try CommandFailure.translating { try ElectionGroup(name.texts[0]) }
        let isJSON = try settings.flag("json", json)
        let provider = try url.provider(readOnly: true, logger: .forCommand(verbose: false))
        let answer = try await Self.holder(of: group, provider)
        Output.line(isJSON ? Self.json(answer, group: group).description : Self.text(answer, group: group))
    }

    /// Reads once; a store that cannot be read ends the command.
    static func holder(of group: ElectionGroup, _ provider: any ElectionProvider) async throws -> HolderAnswer {
        let answer: HolderAnswer?
        do {
            answer = try await provider.holders(of: [group]).first
        } catch {
            throw CommandFailure.unavailable(ElectionError.wrapping(error).message)
        }
        switch answer {
        case .unknown(let error): throw CommandFailure.unavailable(ElectionError.wrapping(error).message)
        case let answer?: return answer
        case nil: throw CommandFailure.unavailable("the store gave no answer for \(group)")
        }
    }

    static func json(_ answer: HolderAnswer, group: ElectionGroup) -> JSONLine {
        var line = JSONLine()
        line.add("group", group.name)
        switch answer {
        case .held(let record):
            line.add("leader", record.holder.id)
            line.add("term", record.term)
            line.add("remaining_ns", record.remaining?.wholeNanoseconds)
            line.add("lease_ns", record.leaseDuration.wholeNanoseconds)
            line.add("metadata", record.holder.metadata)
        case .free(let lastTerm):
            line.add("leader", nil as String?)
            line.add("term", lastTerm)
            line.add("remaining_ns", nil as Int64?)
            line.add("lease_ns", nil as Int64?)
            line.add("metadata", [:])
        case .unknown: break
        }
        return line
    }

    static func text(_ answer: HolderAnswer, group: ElectionGroup) -> String {
        switch answer {
        case .held(let record):
            let lease = DurationText.format(record.leaseDuration)
            let left = record.remaining.map { "\(DurationText.format($0)) of \(lease)" }
            var lines = [
                "group      \(Output.printable(group.name))",
                "leader     \(Output.printable(record.holder.id))",
                "term       \(record.term)",
                "time left  \(left ?? "as long as its process lives; lease \(lease)")",
            ]
            for (key, value) in record.holder.metadata.sorted(by: { $0.key < $1.key }) {
                lines.append("metadata   \(Output.printable(key))=\(Output.printable(value))")
            }
            return lines.joined(separator: "\n")
        case .free(let lastTerm):
            let last = lastTerm.map { "\nlast term  \($0)" } ?? ""
            return "group      \(Output.printable(group.name))\nleader     (nobody)\(last)"
        case .unknown: return ""
        }
    }
}
