// SPDX-License-Identifier: MIT
#if Consul
import Foundation
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionConsul

/// Tokens and certificates.
@Suite(.needs(.consulTLS), .serialized, .timeLimit(.minutes(1)))
struct AccessTests {
    private let agent = Agent(.consulTLS)

    private func provider(token: String?) throws -> ConsulElectionProvider {
        var settings = try agent.settings()
        settings.token = token
        return ConsulElectionProvider(settings)
    }

    @Test
    func aTokenMayElectBelowItsPrefix() async throws {
        let asker = try Asker(try provider(token: Backend.consulToken))
        let term = try await asker.termSoon()
        guard case .renewed = try await asker.renew(term) else { throw NotInTime(what: "the renewal") }
        guard case .released = try await asker.release(term) else { throw NotInTime(what: "the release") }
    }

    @Test(arguments: [
        nil, "00000000-0000-0000-0000-0000000091e5", "00000000-0000-0000-0000-00000badbad0",
    ])
    func whoMayNotElectIsToldSoInTheSameWords(token: String?) async throws {
        let asker = try Asker(try provider(token: token))
        let error = try #require(try await asker.error())
        #expect(error.code == .storeRefused, "\(error)")
        #expect(error.message.contains("session:write") || error.message.contains("key:write"))
        #expect(!error.message.contains(token ?? "hush"))
        #expect(try await asker.error() == error)
    }

    @Test
    func aTokenForSessionsOnlyIsToldWhatItLacks() async throws {
        var settings = try agent.settings()
        settings.prefix = "elsewhere/"
        for mode in [ConsulMode.session, .cas] {
            settings.mode = mode
            let asker = try Asker(ConsulElectionProvider(settings))
            let error = try #require(try await asker.error())
            #expect(error.code == .storeRefused && error.message.contains("key:write"), "\(error)")
        }
    }

    @Test
    func eachRightThatATokenLacksIsFound() async throws {
        func examination(_ rules: String, mode: ConsulMode = .auto) async throws -> StoreFinding {
            let name = "trial-\(UInt32.random(in: 0 ... .max))"
            let token = try await agent.token(rules, policy: name)
            var settings = try agent.settings()
            (settings.token, settings.prefix, settings.mode) = (token, "trial/", mode)
            let findings = try await ConsulElectionProvider(settings).examine()
            // Whether servers are well is not this token's to see; how many there are is.
            #expect(findings.first?.check == "quorum" && findings.first?.seen.hasPrefix("a single server") == true)
            let access = try #require(findings.first { $0.check == "access" })
            #expect(access.seen.contains(name) && !access.seen.contains(token))
            return access
        }
        let sessions = #"session_prefix "" { policy = "write" }"#
        let leases = #"key_prefix "trial/" { policy = "write" }"#
        let notes = #"key_prefix "trial.notes/" { policy = "write" } key_prefix "trial.news/" { policy = "write" }"#
        #expect(try await examination([sessions, leases, notes].joined(separator: "\n")).isFine)
        #expect(try await examination([leases, notes].joined(separator: "\n"), mode: .cas).isFine)
        let without: [(rules: [String], lacks: String)] = [
            ([leases, notes], "lacks session:write"),
            ([sessions, notes], "lacks key:write for trial/"),
            ([sessions, leases], "lacks key:write for trial.notes/, key:write for trial.news/"),
            ([#"key_prefix "trial" { policy = "read" }"#], "lacks session:write, key:write for trial/, key:write for"),
        ]
        for (rules, lacks) in without {
            let finding = try await examination(rules.joined(separator: "\n"))
            #expect(!finding.isFine && finding.seen.contains(lacks), "\(finding.seen)")
        }
        // What was tried leaves nothing behind.
        let left = try await agent.call("GET", "kv/trial?recurse", nil, token: Agent.management)
        #expect(left.status == 404)
    }

    @Test
    func aTokenThatIsRevokedProlongsNothingAndOneThatIsBackDoes() async throws {
        let token = UUID().uuidString.lowercased()
        let make = #"{"SecretID":"\#(token)","Policies":[{"Name":"elections"}]}"#
        let made = try await agent.call("PUT", "acl/token", make, token: Agent.management)
        let accessor = try #require(
            (JSONSerialization.jsonObject(with: Data(made.body.utf8)) as? [String: Any])?["AccessorID"] as? String
        )
        let provider = try provider(token: token)
        let hints = Hints(provider)
        let asker = try Asker(provider)
        let term = try await asker.termSoon()
        try await agent.call("DELETE", "acl/token/\(accessor)", token: Agent.management)
        try await soon("the refusal") {
            guard case .unknown(let error as ElectionError) = try await asker.renew(term) else { return false }
            #expect(error.code == .storeRefused)
            return true
        }
        #expect(try await asker.error()?.code == .storeRefused)
        try await agent.call("PUT", "acl/token", make, token: Agent.management)
        try await soon("the renewal") { if case .renewed = try await asker.renew(term) { true } else { false } }
        #expect(try await asker.termSoon() == term)
        #expect(Set(hints.warnings.map(\.message)).count == hints.warnings.count, "each cause once")
    }

    @Test
    func aCertificateThatIsNotTrustedIsRefused() async throws {
        let port = NetworkAddress.all(in: agent.url)[0].port
        for options in ["", "&sni=other.name&cacert=\(Backend.certificateAuthority)"] {
            let url = "consul+https://localhost:\(port)/x?token=hush\(options)"
            let asker = try Asker(try ConsulElectionProvider(url), timeout: .seconds(2))
            let error = try #require(try await asker.error())
            #expect(error.code == .storeRefused && error.message.contains("TLS"), "\(error)")
            #expect(!error.message.contains("hush"))
            #expect(try await asker.error() == error)
        }
        // The server asks for a certificate of the client's as well.
        let url = "consul+https://localhost:\(port)/x?cacert=\(Backend.certificateAuthority)"
        let asker = try Asker(try ConsulElectionProvider(url), timeout: .seconds(2))
        #expect(try await asker.error() != nil)
        let plain = try Asker(try ConsulElectionProvider("consul://localhost:\(port)/x"), timeout: .seconds(2))
        #expect(try await plain.error() != nil)
    }
}
#endif
