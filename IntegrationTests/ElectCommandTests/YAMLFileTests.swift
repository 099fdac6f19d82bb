// SPDX-License-Identifier: MIT
#if YAML
import Foundation
import IntegrationSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct YAMLFileTests {
    @Test func aYAMLFileServesAsWell() async throws {
        let directory = try Directory()
        try directory.write(
            """
            # Who leads here.
            provider: "\(Store.sqlite.url(in: directory))"
            group: g
            json: true
            """,
            to: "elect.yaml"
        )
        let campaign = try ElectProcess(
            ["campaign", "--candidate", "me"],
            in: directory,
            environment: ["ELECT_PROVIDER": Store.sqlite.url(in: directory), "ELECT_GROUP": "g"]
        )
        #expect(try await eventually { campaign.standardOutput.contains("acquired") })
        let status = try ElectProcess(["status", "--config", "elect.yaml"], in: directory)
        #expect(try await status.exitCode() == 0)
        #expect(status.standardOutput.contains(#""leader":"me""#), "\(status.standardOutput)")
    }
}
#endif
