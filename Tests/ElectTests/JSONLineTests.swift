// SPDX-License-Identifier: MIT

import Foundation
import LeaderElection
import Testing

@testable import elect

@Suite struct JSONLineTests {
    @Test func keysKeepTheirOrder() {
        var line = JSONLine()
        line.add("b", "x")
        line.add("a", nil as String?)
        line.add("n", Int64(7))
        line.add("f", true)
        line.add("m", ["z": "1", "k": "2"])
        #expect(line.description == #"{"b":"x","a":null,"n":7,"f":true,"m":{"k":"2","z":"1"}}"#)
    }

    @Test(arguments: ["", "\"", "\\", "\n\t\r", "\u{0}\u{1F}\u{7F}", "é 😀 \u{2028}", "a/b"])
    func everyTextSurvivesAsOneLine(text: String) throws {
        var line = JSONLine()
        line.add("k", text)
        #expect(!line.description.contains("\n"))
        let decoded = try JSONDecoder().decode([String: String].self, from: Data(line.description.utf8))
        #expect(decoded == ["k": text])
    }

    @Test func controlCharactersNeverReachATerminal() {
        #expect(Output.printable("a\u{1B}[2Jb\u{9B}c") == "a\u{FFFD}[2Jb\u{FFFD}c")
    }
}
