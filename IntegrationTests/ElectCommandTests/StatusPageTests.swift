// SPDX-License-Identifier: MIT

#if HTTP
import Foundation
import IntegrationSupport
import Testing

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

@Suite(.timeLimit(.minutes(5))) struct StatusPageTests {
    /// Where the page of a running `elect` is.
    private func page(of elect: ElectProcess) async throws -> String {
        let said = "status page on "
        #expect(try await eventually { elect.standardError.contains(said) })
        let rest = try #require(elect.standardError.components(separatedBy: said).dropFirst().first)
        return try #require(rest.split(separator: "\n").first.map(String.init))
    }

    private func get(_ address: String) async throws -> (status: Int, body: String) {
        let (data, response) = try await URLSession.shared.data(from: #require(URL(string: address)))
        return ((response as? HTTPURLResponse)?.statusCode ?? 0, String(decoding: data, as: UTF8.self))
    }

    @Test func aCampaignServesWhoLeadsHealthAndMetrics() async throws {
        let directory = try Directory()
        let elect = try ElectProcess(
            [
                "campaign", "--provider", Store.sqlite.url(in: directory), "--group", "g", "--candidate", "me",
                "--events",
                "json", "--http", "127.0.0.1:0",
            ],
            in: directory
        )
        let page = try await page(of: elect)
        #expect(try await eventually { elect.standardOutput.contains("\"acquired\"") })
        let leader = try await get("\(page)/leader")
        #expect(leader.status == 200)
        #expect(leader.body.contains("\"leader\":\"me\"") && leader.body.contains("\"is_leader\":true"))
        #expect(try await get("\(page)/healthz").status == 200)
        #expect(try await get("\(page)/readyz").status == 200)
        #expect(try await get("\(page)/metrics").body.contains("election_health{status=\"healthy\"} 1"))
        elect.send(SIGTERM)
        #expect(try await elect.exitCode() == 0)
    }

    @Test func aRunServesItToo() async throws {
        let directory = try Directory()
        let elect = try ElectProcess(
            [
                "run", "--provider", Store.sqlite.url(in: directory), "--group", "g", "--http", "127.0.0.1:0", "--",
                "sleep", "60",
            ],
            in: directory
        )
        let page = try await page(of: elect)
        #expect(try await eventually { elect.standardError.contains("runs as process") })
        #expect(try await get("\(page)/leader").body.contains("\"is_leader\":true"))
        elect.send(SIGTERM)
        #expect(try await elect.exitCode() == 128 + SIGTERM)
    }

    @Test func aPortInUseIsOneErrorBeforeTheCampaignBegins() async throws {
        let directory = try Directory()
        let first = try ElectProcess(
            ["campaign", "--provider", "memory:", "--group", "g", "--http", "127.0.0.1:0"],
            in: directory
        )
        let place = try await page(of: first).replacingOccurrences(of: "http://", with: "")
        let second = try ElectProcess(
            [
                "campaign", "--provider", Store.file.url(in: directory), "--group", "g", "--events", "json", "--http",
                place,
            ],
            in: directory
        )
        #expect(try await second.exitCode() == 69)
        #expect(second.standardOutput.isEmpty)
        let message = "elect: --http: cannot listen on \(place): Address already in use; "
        #expect(second.standardError.hasPrefix(message))
        #expect(second.standardError.split(separator: "\n").count == 1)
        first.send(SIGTERM)
        #expect(try await first.exitCode() == 0)
    }

    @Test func aBadAddressIsAUsageErrorThatNamesItsSource() async throws {
        let directory = try Directory()
        let elect = try ElectProcess(
            ["campaign", "--provider", "memory:", "--group", "g"],
            in: directory,
            environment: ["ELECT_HTTP": "localhost"]
        )
        #expect(try await elect.exitCode() == 64)
        #expect(elect.standardOutput.isEmpty)
        #expect(elect.standardError.contains("ELECT_HTTP: \"localhost\" is no address to listen on: it has no port"))
    }
}
#endif
