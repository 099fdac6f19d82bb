// SPDX-License-Identifier: MIT

/// Draws stories as one picture: a row for each candidate of each group, a bar for each term, gaps and jeopardy marked.
package struct TimelineDrawing: Sendable {
    private static let width = 1200.0
    private static let left = 190.0
    private static let right = 20.0
    private static let rowHeight = 24.0
    private static let headHeight = 30.0
    private static let colours = ["#2f6fb5", "#3c8d5a", "#7a52a8", "#b06a1f", "#28838f", "#9c3d66"]

    private let stories: [ElectionStory]
    private let range: ClosedRange<Int64>

    /// Nil if there is nothing to draw.
    package init?(_ stories: [ElectionStory]) {
        guard let start = stories.map(\.range.lowerBound).min(), let end = stories.map(\.range.upperBound).max() else {
            return nil
        }
        self.stories = stories
        range = start...max(end, start + 1)
    }

    /// A whole SVG document.
    package var svg: String {
        var body = ""
        var y = Self.headHeight
        for story in stories {
            body += text(story.group, x: 10, y: y + 18, "font-weight=\"bold\"")
            y += Self.headHeight
            let leaders = story.terms.reduce(into: [String]()) { if !$0.contains($1.leader) { $0.append($1.leader) } }
            let height = Double(max(leaders.count, 1)) * Self.rowHeight
            for gap in story.gaps { body += rectangle(gap, y: y, height: height, "#e9e4e0", tip(gap)) }
            for (row, leader) in leaders.enumerated() {
                let rowY = y + Double(row) * Self.rowHeight
                let name = leader.count > 24 ? leader.prefix(23) + "…" : leader[...]
                body += text(String(name), x: 10, y: rowY + 16)
                for term in story.terms where term.leader == leader {
                    body += bar(term, in: story, y: rowY, Self.colours[row % Self.colours.count])
                }
            }
            if leaders.isEmpty { body += text("nobody led", x: 10, y: y + 16) }
            y += height + 14
        }
        return document(body + axis(y: y), height: y + 34)
    }

    private func bar(_ term: ElectionStory.Term, in story: ElectionStory, y: Double, _ colour: String) -> String {
        let end: String =
            switch term.ending {
            case .lost(let reason): reason
            case .silent: "not heard of again"
            case .open: "still leading"
            }
        let length = ElectionStory.text(term.end - term.start)
        let tip = "\(term.leader), term \(term.number), from \(seconds(term.start)) for \(length); \(end)"
        var result = rectangle(term.start..<max(term.end, term.start + 1), y: y + 3, height: 18, colour, tip)
        for danger in term.jeopardy { result += rectangle(danger, y: y + 3, height: 18, "#e0a400", "in jeopardy") }
        if term.ending == .silent {
            result += "<path d=\"M\(x(term.end)) \(y + 1)v22\" stroke=\"#b3261e\" stroke-width=\"3\"/>\n"
        }
        return result
    }

    private func axis(y: Double) -> String {
        let span = Double(range.upperBound - range.lowerBound) / 1e9
        // The first of 1, 2, 5, 10, … that gives at most twelve marks.
        var step = 1e-6
        var factors = 0
        while span / step > 12 {
            step *= factors % 3 == 1 ? 2.5 : 2
            factors += 1
        }
        var marks = ""
        for number in 0...Int(span / step) {
            let instant = range.lowerBound + Int64((Double(number) * step * 1e9).rounded())
            marks += "<path d=\"M\(x(instant)) \(Self.headHeight)V\(y)\" stroke=\"#00000018\"/>\n"
            marks += text(seconds(instant), x: x(instant), y: y + 18, "text-anchor=\"middle\" fill=\"#555\"")
        }
        return marks
    }

    private func document(_ body: String, height: Double) -> String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" width="\(Self.width)" height="\(height)" \
        viewBox="0 0 \(Self.width) \(height)" font-family="sans-serif" font-size="13">
        <title>Who led when</title>
        <rect width="100%" height="100%" fill="#fff"/>
        \(text("Who led when: bars are terms, grey is nobody, amber is jeopardy, a red end was never heard of again", x: 10, y: 20, "fill=\"#555\""))\
        \(body)</svg>

        """
    }

    private func rectangle(_ span: Range<Int64>, y: Double, height: Double, _ colour: String, _ tip: String) -> String {
        // A hand-over of a millisecond is still to be seen.
        let width = max(x(span.upperBound) - x(span.lowerBound), 1)
        return """
            <rect x="\(x(span.lowerBound))" y="\(y)" width="\(width)" height="\(height)" fill="\(colour)">\
            <title>\(Self.escaped(tip))</title></rect>

            """
    }

    private func text(_ text: String, x: Double, y: Double, _ attributes: String = "") -> String {
        "<text x=\"\(x)\" y=\"\(y)\" \(attributes)>\(Self.escaped(text))</text>\n"
    }

    private func tip(_ gap: Range<Int64>) -> String {
        "nobody leads from \(seconds(gap.lowerBound)) for \(ElectionStory.text(gap.upperBound - gap.lowerBound))"
    }

    private func x(_ instant: Int64) -> Double {
        let share = Double(instant - range.lowerBound) / Double(range.upperBound - range.lowerBound)
        return ((Self.left + share * (Self.width - Self.left - Self.right)) * 100).rounded() / 100
    }

    private func seconds(_ instant: Int64) -> String { ElectionStory.text(instant - range.lowerBound) }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            // Not allowed in XML, not even escaped.
            case _ where scalar.value < 0x20 || scalar.value == 0xFFFE || scalar.value == 0xFFFF: result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
