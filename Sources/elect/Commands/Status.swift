// SPDX-License-Identifier: MIT

internal import ArgumentParser
internal import LeaderElection
internal import Logging

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say who leads, in which term, for how long if nothing is heard of it, and who waits.",
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
        let candidates = try await Self.candidates(in: group, provider)
        if isJSON {
            var line = Self.json(answer, group: group)
            line.add("candidates", candidates.map(Self.json))
            Output.line(line.description)
        } else {
            let lease = Self.text(answer, group: group, expiry: provider.guarantees.expiry)
            Output.line(([lease] + candidates.map(Self.text)).joined(separator: "\n"))
        }
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

    /// Who waits; nobody in a store that keeps no notes, or none yet.
    private static func candidates(
        in group: ElectionGroup,
        _ provider: any ElectionProvider
    ) async throws -> [ListedCandidate] {
        guard let provider = provider as? any NoteKeepingProvider else { return [] }
        do {
            return try await provider.candidates(in: group)
        } catch let error as ElectionError where error.code == .unsupported {
            return []
        } catch let error as ElectionError where error.code == .storeRefused {
            // Leases can be read all the same.
            Output.complain(error.message)
            return []
        } catch {
            throw CommandFailure.unavailable(ElectionError.wrapping(error).message)
        }
    }

    private static func json(_ listed: ListedCandidate) -> JSONLine {
        var line = JSONLine()
        line.add("candidate", listed.candidate.id)
        line.add("incarnation", "\(listed.candidate.incarnation)")
        line.add("priority", Int64(listed.priority))
        line.add("eligible", listed.isEligible)
        if let health = listed.health { line.add("health", health) }
        line.add("waiting_since_ms", listed.waitingSince)
        if let position = listed.position { line.add("position", Int64(position)) }
        line.add("metadata", listed.candidate.metadata)
        return line
    }

    private static func text(_ listed: ListedCandidate) -> String {
        var notes: [String] = []
        if let position = listed.position { notes.append("number \(position) in line") }
        if listed.priority != 0 { notes.append("priority \(listed.priority)") }
        if let health = listed.health { notes.append("health \(health)") }
        if !listed.isEligible { notes.append("takes no leadership now") }
        notes += listed.candidate.metadata.sorted { $0.key < $1.key }
            .map { "\(Output.printable($0.key))=\(Output.printable($0.value))" }
        let details = notes.isEmpty ? "" : "  (\(notes.joined(separator: ", ")))"
        return "waiting    \(Output.printable(listed.candidate.id))\(details)"
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

    static func text(_ answer: HolderAnswer, group: ElectionGroup, expiry: ProviderGuarantees.Expiry) -> String {
        switch answer {
        case .held(let record):
            let lease = record.leaseDuration.text()
            let left = record.remaining.map { "\($0.text()) of \(lease)" }
            // Where no clock of the store's can be read, what ends a lease is the end of a process, or of its renewals.
            let condition = expiry == .kernelOwned ? "as long as its process lives" : "as long as it is renewed"
            var lines = [
                "group      \(Output.printable(group.name))",
                "leader     \(Output.printable(record.holder.id))",
                "term       \(record.term)",
                "time left  \(left ?? "\(condition); lease \(lease)")",
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
