// SPDX-License-Identifier: MIT
#if Redis
import Foundation
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionRedis

@Suite("Redis: TLS and users", .serialized, .needsOwn(.redisTLS), .timeLimit(.minutes(5)))
struct TLSTests {
    private func expectRefusal(
        _ url: String,
        _ code: ElectionError.Code,
        _ part: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        try await withNode(url) { node, _ in
            let error = await failure { try await node.send("PING", timeout: .seconds(30)) }
            #expect(error?.code == code, "\(error?.message ?? "no error")", sourceLocation: sourceLocation)
            #expect(
                error?.message.contains(part) == true,
                "\(error?.message ?? "no error")",
                sourceLocation: sourceLocation
            )
            #expect(error.map { "\($0)".contains("secret") } == false, sourceLocation: sourceLocation)
        }
    }

    @Test("Encrypted connections: verified, and each way in which that can fail")
    func verification() async throws {
        try await PrivateServer.with(.redisTLS) { server in
            let authority = Backend.certificateAuthority
            let host = "localhost:\(server.port)"
            let login = "elect:elect-secret@"
            try await withNode("rediss://\(login)\(host)/0?cacert=\(authority)") { node, topology in
                #expect(try await node.send("SET", "a", "1") == .status("OK"))
                let info = try await node.connect(timeout: .seconds(5))
                #expect(info.runID != nil)
                let pushes = Pushes()
                let subscription = topology.subscribe(channel: "news", pushes.receive)
                _ = try await eventually("the subscription") { pushes.subscriptions == 1 ? true : nil }
                #expect(try await node.send("PUBLISH", "news", "x") == .integer(1))
                _ = try await eventually("the message") { pushes.messages == ["x"] ? true : nil }
                subscription.cancel()
            }
            for works in [
                "?tls=none", "?cacert=\(authority)&tls=verify-ca&sni=other.example",
                "?cacert=\(authority)&sni=localhost",
            ] {
                try await withNode("rediss://\(login)\(host)\(works)") { node, _ in
                    let answer = try await node.send("PING")
                    #expect(answer == .status("PONG"))
                }
            }
            // The system's authorities did not sign it.
            try await expectRefusal("rediss://\(login)\(host)", .storeRefused, "not signed by an authority")
            // The certificate names localhost and 127.0.0.1. (NIOSSL takes it for any name at an address that it names.)
            try await server.redis("CONFIG", "SET", "bind", "127.0.0.1 127.0.0.2")
            let stranger = "127.0.0.2:\(server.port)"
            try await expectRefusal(
                "rediss://\(login)\(stranger)?cacert=\(authority)",
                .storeRefused,
                "not made out to 127.0.0.2"
            )
            try await expectRefusal(
                "rediss://\(login)\(stranger)?cacert=\(authority)&sni=other.example",
                .storeRefused,
                "not made out to other.example"
            )
            for works in ["sni=localhost", "tls=verify-ca"] {
                try await withNode("rediss://\(login)\(stranger)?cacert=\(authority)&\(works)") { node, _ in
                    let answer = try await node.send("PING")
                    #expect(answer == .status("PONG"))
                }
            }
            try await expectRefusal("redis://\(login)\(host)", .storeUnavailable, "rediss://")
        }
    }

    @Test("TLS towards a server without it")
    func plainServer() async throws {
        try await PrivateServer.with(.redis) { server in
            try await expectRefusal(
                "rediss://127.0.0.1:\(server.port)?tls=none&connect-timeout=500ms",
                .storeUnavailable,
                "TLS was expected"
            )
        }
    }

    @Test("Users: wrong password, no password, and one who may do nothing")
    func users() async throws {
        try await PrivateServer.with(.redisTLS) { server in
            let host = "localhost:\(server.port)?cacert=\(Backend.certificateAuthority)"
            try await expectRefusal("rediss://elect:wrong-secret@\(host)", .storeRefused, "user or password")
            try await expectRefusal("rediss://:elect-secret@\(host)", .storeRefused, "user or password")
            try await expectRefusal("rediss://\(host)", .storeRefused, "wants a password")
            try await withNode("rediss://guest:guest-secret@\(host)") { node, _ in
                let answer = try await node.send("SET", "a", "1")
                let error = try #require(answer.error?.electionError("here", command: "SET"))
                #expect(error.code == .storeRefused)
                #expect(error.message.contains("NOPERM"))
            }
        }
    }

    @Test("A server that wants a certificate of its clients")
    func clientCertificates() async throws {
        try await PrivateServer.with(.redisTLS) { server in
            let authority = Backend.certificateAuthority
            let directory = URL(filePath: authority).deletingLastPathComponent().path
            try await server.redis("CONFIG", "SET", "tls-auth-clients", "yes")
            let url = "rediss://elect:elect-secret@localhost:\(server.port)?cacert=\(authority)"
            try await withNode(url) { node, _ in
                let error = await failure { try await node.send("PING") }
                #expect(error?.message.contains("certificate") == true, "\(error?.message ?? "no error")")
            }
            try await withNode(url + "&cert=\(directory)/server.crt&key=\(directory)/server.key") { node, _ in
                let answer = try await node.send("PING")
                #expect(answer == .status("PONG"))
            }
        }
    }
}
#endif
