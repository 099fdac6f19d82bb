// SPDX-License-Identifier: MIT

import LeaderElectionConfiguration
import Testing

@testable import elect

@Suite struct ProviderURLTests {
    @Test(arguments: [
        ("memory:", ProviderURL.Store.memory), ("memory://", .memory), ("MEMORY:", .memory),
        ("file:///var/lib/x", .directory("/var/lib/x")), ("file:/var/lib/x", .directory("/var/lib/x")),
        ("file://localhost/var", .directory("/var")), ("file:///a%20b%3Fc", .directory("/a b?c")),
        ("sqlite:///var/e.db", .database("/var/e.db")),
    ])
    func storesAreNamedByTheirURL(text: String, store: ProviderURL.Store) throws {
        #expect(try ProviderURL(text, source: "--provider").store == store)
    }

    @Test(arguments: [
        "", "x", "/var/lib/x", "file:", "file://", "file:///", "file:relative", "file://host/dir", "file:////",
        "file:///a?b", "file:///a#b", "file:///a%2", "file:///a%zz", "file:///a%00b", "file:///%ff", "sqlite:",
        "sqlite:e.db",
        "sqlite:///dir/", "memory:x", "mysql://h/d", ":", "file :///x",
    ])
    func everythingElseIsRefusedWithTheNameOfItsSource(text: String) {
        let failure = #expect(throws: CommandFailure.self) { try ProviderURL(text, source: "ELECT_PROVIDER") }
        #expect(failure?.code == 64)
        #expect(failure?.message.hasPrefix("ELECT_PROVIDER: ") == true)
    }

    @Test(arguments: [
        "mysql://user:hunter2@host/db", "user:hunter2@host", "hunter2@host", "x://h?password=hunter2", "://hunter2",
        "file://user:hunter2@host/x", "sqlite://hunter2@host/x", "memory:hunter2",
    ])
    func noSecretIsEverRepeated(text: String) {
        let failure = #expect(throws: CommandFailure.self) { try ProviderURL(text, source: "--provider") }
        #expect(failure?.message.contains("hunter2") == false)
    }
}
