// SPDX-License-Identifier: MIT

import Foundation
import IntegrationSupport
import Testing

/// The test bench itself: what it breaks is broken, and it leaves nothing behind.
@Suite(.timeLimit(.minutes(5))) struct PrivateServerTests {
    @Test(.needsOwn(.redis)) func redisForgetsUnlessItIsDurable() async throws {
        for isDurable in [false, true] {
            try await PrivateServer.with(.redis, durable: isDurable) { server in
                try await server.redis("SET", "key", "value")
                try await server.restart()
                #expect(try await server.redis("GET", "key") == (isDurable ? "value\n" : "\n"))
                try await server.kill()
                try await server.start()
                #expect(try await server.redis("GET", "key") == (isDurable ? "value\n" : "\n"))
                try await server.wipe()
                try await server.start()
                #expect(try await server.redis("GET", "key") == "\n")
            }
        }
    }

    @Test(.needsOwn(.postgres)) func postgresRemembersUntilItIsWiped() async throws {
        try await PrivateServer.with(.postgres) { server in
            let identity = try await server.sql("SELECT system_identifier FROM pg_control_system()")
            try await server.sql("CREATE TABLE t (n int)")
            try await server.kill()
            try await server.start()
            #expect(try await server.sql("SELECT count(*) FROM t") == "0\n")
            try await server.wipe()
            try await server.start()
            #expect(try await server.sql("SELECT to_regclass('t') IS NULL") == "t\n")
            #expect(try await server.sql("SELECT system_identifier FROM pg_control_system()") != identity)
        }
    }

    @Test(.needsOwn(.redis)) func serversEndWithTheirTestAlsoWhenItThrows() async throws {
        struct Failed: Error {}
        var address: NetworkAddress?
        await #expect(throws: Failed.self) {
            try await PrivateServer.with(.redis) { server in
                address = NetworkAddress.all(in: server.url).first
                #expect(address?.answers() == true)
                throw Failed()
            }
        }
        #expect(address?.answers() == false)
    }

    @Test func addressesAreReadOutOfAnyURL() {
        let one = NetworkAddress(host: "localhost", port: 5432)
        #expect(NetworkAddress.all(in: "postgres://user:a@b@localhost:5432/db?x=y:1") == [one])
        #expect(NetworkAddress.all(in: "redis+quorum://a:1,b:2").map(\.port) == [1, 2])
        #expect(NetworkAddress.all(in: "sqlite:/file").isEmpty)
    }
}
