// SPDX-License-Identifier: MIT
#if YAML
import Foundation
import LeaderElection
import Testing

@testable import LeaderElectionConfiguration

@Suite struct YAMLFileTests {
    private func settings(_ text: String, ending: String = "yaml") throws -> ElectionSettings {
        let file = try TemporaryFile(text, ending: ending)
        return try ElectionSettings(file: file.path, arguments: [], environment: [:])
    }

    @Test func everyOptionIsRead() throws {
        let values = [
            "profile": "fast", "candidate": "me", "participation": "observer", "unlisted": "true", "priority": "-4",
            "lease-duration": "8s", "renew-interval": "1s", "attempt-timeout": "500ms", "grace-period": "100ms",
            "retry-interval": "20s", "shutdown-timeout": "0s", "clock-drift-bound": "0.01", "metadata": "zone=a",
        ]
        #expect(values.keys.sorted() == OptionNames.candidate.sorted())
        let options = try settings("elect:\n" + values.map { "  \($0.key): \($0.value)\n" }.joined()).options
        for (name, value) in values { #expect(options.find(name)?.texts == [value]) }
        let read = try ElectionConfiguration(reading: options)
        #expect(read.priority == -4)
        #expect(read.clockDriftBound == 0.01)
    }

    @Test func listsFlagsCommentsAndMetadata() throws {
        let read = try settings(
            """
            elect:
              # how
              metadata: {zone: a, address: "10.0.0.5:80"}
              unlisted: yes
              clock-drift-bound: 1e-3
            other: [1, 2]
            """
        ).configuration
        #expect(read.metadata == ["zone": "a", "address": "10.0.0.5:80"])
        #expect(!read.isListed)
        #expect(read.clockDriftBound == 0.001)
    }

    @Test func aKeyThatStandsTwiceIsRefused() throws {
        let told = refusal { _ = try settings("elect:\n  priority: 1\n  priority: 2\n", ending: "yml") }
        #expect(told.contains("\"priority\" twice"))
    }

    @Test(arguments: [
        "elect: [", "elect:\n  priority:\n", "elect:\n  group: {a: b}\n", "- elect", "", "elect:\n  grup: a\n",
        "elect:\n  metadata: {a: [b]}\n", "elect: &a\n  ? [x]\n  : b\n",
    ])
    func anotherShapeIsRefusedWithTheFile(text: String) throws {
        let file = try TemporaryFile(text, ending: "yaml")
        let told = refusal { _ = try ElectionSettings(file: file.path, arguments: [], environment: [:]) }
        #expect(told.contains(file.path), "\(told)")
    }
}
#endif
