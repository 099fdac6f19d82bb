// SPDX-License-Identifier: MIT

import Foundation
import IntegrationSupport
import Testing

@Suite struct DoctorTests {
    private struct Finding: Decodable {
        var check: String
        var ok: Bool
        var seen: String
    }

    private func examine(_ url: String, in directory: Directory) async throws -> (code: Int32?, findings: [Finding]) {
        let elect = try ElectProcess(
            ["doctor", "--provider", url, "--lease-duration", "30s", "--json"],
            in: directory
        )
        let code = try await elect.exitCode()
        return (
            code,
            try elect.standardOutput.split(separator: "\n").map {
                try JSONDecoder().decode(Finding.self, from: Data($0.utf8))
            }
        )
    }

    // One at a time over each store: all doctors use one group.
    @Test(arguments: Store.all)
    func aStoreThatIsInOrderHasNoFinding(store: Store) async throws {
        let directory = try Directory()
        let (code, findings) = try await examine(store.url(in: directory), in: directory)
        let found = findings.filter { !$0.ok }
        #expect(found.map(\.check) == (store.tellsReleases ? [] : ["push"]), "\(found)")
        #expect(code == (store.tellsReleases ? 0 : 1))
    }

    @Test func aStoreThatIsNotThereIsUnavailable() async throws {
        // Nothing listens at a port that the system reserves and gives to nobody.
        let (code, findings) = try await examine("redis://127.0.0.1:1", in: Directory())
        #expect(code == 69)
        #expect(findings.isEmpty)
    }

    @Test func aStoreThatCannotBeMadeIsAFinding() async throws {
        let directory = try Directory()
        try directory.write("", to: "file")
        let (code, findings) = try await examine("file://\(directory.url.path)/file/store", in: directory)
        #expect(code == 1)
        #expect(findings.filter { !$0.ok }.map(\.check) == ["rights"])
    }
}
