// SPDX-License-Identifier: MIT

internal import ArgumentParser
internal import ElectionHistory

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell in plain sentences what --history has written: who led when, and why it ended.",
        discussion: """
            Give the files of all candidates together: of one machine, since one boot. With --svg the same as a picture,
            with a bar for each term, to be looked at in a browser.

            EXAMPLES
              elect explain a.jsonl b.jsonl
              elect explain a.jsonl b.jsonl --group billing --svg billing.svg
            """
    )

    @Argument(help: ArgumentHelp("What candidates have written with --history.", valueName: "file"))
    var files: [String]

    @Option(help: ArgumentHelp("Only this group.", valueName: "name"))
    var group: String?

    @Option(help: ArgumentHelp("Draw a picture into this file; one that is there is replaced.", valueName: "file"))
    var svg: String?

    func run() throws {
        let history = try History.reading(files)
        let groups = history.groups.filter { group == nil || $0 == group }
        guard !groups.isEmpty else {
            let known = history.groups.prefix(5).joined(separator: ", ")
            throw CommandFailure.usage("--group: nothing is written of \(group ?? ""); there is: \(known)")
        }
        let stories = groups.compactMap { ElectionStory($0, in: history) }
        for story in stories {
            for sentence in story.sentences { Output.line(Output.printable(sentence)) }
        }
        guard let svg, let drawing = TimelineDrawing(stories) else { return }
        do {
            try Data(drawing.svg.utf8).write(to: URL(filePath: svg), options: .atomic)
        } catch {
            throw CommandFailure.usage("--svg: cannot write \(svg); check that its directory exists and is writable")
        }
    }
}
