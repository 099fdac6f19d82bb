// SPDX-License-Identifier: MIT
#if Postgres
internal import LeaderElection
internal import Testing

@testable internal import LeaderElectionPostgres

struct SettingsTests {
    private func settings(
        _ uri: String,
        schema: String? = nil,
        table: String = "leader_election_lease",
        channel: String? = nil
    ) throws -> PostgresSettings {
        try PostgresSettings(
            uri: uri,
            schema: schema,
            table: table,
            channel: channel,
            createTable: true,
            quarantine: true,
            logger: nil
        )
    }

    @Test(arguments: [
        "", "host=db password=hunter2", "mysql://app:hunter2@db/app", "postgres://app:hunter2%zz@db/app",
        "postgres://app:hun@ter2@db/app", "postgres://app:hun/ter2@db/app", "postgres://app:hunter2@db:port/app",
        "postgres://app:hunter2@db/app?password2=hunter2", "postgres://app:hunter2@db/a@pp", "postgres://[hunter2/app",
    ])
    func aURIThatCannotBeUsedIsRefusedWithoutBeingShown(_ uri: String) throws {
        let error = #expect(throws: ElectionError.self) { try settings(uri) }
        #expect(error?.code == .invalidConfiguration)
        for part in ["hunter2", "ter2", "hun@", "app:"] { #expect(error?.message.contains(part) == false) }
    }

    @Test(arguments: [
        ("postgres://app:hunter2@db.internal/app", "database \"app\" at db.internal"),
        ("postgresql://app:hunter2@a:1,b:2/app", "database \"app\" at a:1, b:2"),
        ("postgres://app:hun%40ter2@/app?host=%2Frun%2Fpostgresql", "database \"app\" at /run/postgresql"),
        ("postgres://?service=hunter2", "the default database"),
        ("postgres://[::1]:5433/app", "database \"app\" at ::1:5433"),
    ])
    func thePlaceIsNamedWithoutTheUser(_ uri: String, _ place: String) throws {
        #expect(try settings(uri).place == place)
    }

    @Test func whatTheURISaysIsKept() throws {
        let uri =
            "postgres://app@a,b/app?connect_timeout=7&keepalives=0&options=-c%20lock_timeout%3D1&target_session_attrs=any"
        let list = try settings(uri).parameters(patience: .milliseconds(1700), withOptions: true)
        let parameters = Dictionary(uniqueKeysWithValues: list.map { ($0.keyword, $0.value) })
        #expect(parameters["connect_timeout"] == "7")
        #expect(parameters["keepalives"] == "0")
        #expect(parameters["target_session_attrs"] == "any")
        // Later ones win.
        #expect(parameters["options"]?.hasPrefix("-c statement_timeout=1700 -c lock_timeout=1360 ") == true)
        #expect(parameters["options"]?.hasSuffix(" -c lock_timeout=1") == true)
        #expect(parameters["host"] == "a,b")
    }

    @Test func whatTheURILeavesOutIsChosenWithCare() throws {
        let list = try settings("postgres://app@a,b/app").parameters(patience: .milliseconds(1700), withOptions: true)
        let parameters = Dictionary(uniqueKeysWithValues: list.map { ($0.keyword, $0.value) })
        #expect(parameters["connect_timeout"] == "2")
        #expect(parameters["tcp_user_timeout"] == "1700")
        #expect(parameters["target_session_attrs"] == "read-write")
        #expect(parameters["client_encoding"] == "UTF8")
        let plain = try settings("postgres://app@a/app").parameters(patience: .seconds(1), withOptions: false)
        #expect(!plain.contains { ["options", "target_session_attrs"].contains($0.keyword) })
    }

    @Test func namesAreDerivedAndQuoted() throws {
        let plain = try settings("postgres://db/app")
        #expect(plain.authorityTable.name == "leader_election_authority")
        #expect(plain.noteTable.name == "leader_election_note")
        #expect(plain.channel.name == "leader_election_lease")
        #expect(plain.qualified(plain.table) == "\"leader_election_lease\"")
        let odd = try settings("postgres://db/app", schema: "my \"own\"", table: "t", channel: "c")
        #expect(odd.qualified(odd.authorityTable) == "\"my \"\"own\"\"\".\"t_authority\"")
        #expect(odd.qualified(odd.noteTable) == "\"my \"\"own\"\"\".\"t_note\"")
        #expect(odd.channel.name == "c")
        #expect(SQLName.literal("a'b\\c") == "E'a''b\\\\c'")
    }

    @Test(arguments: [
        "", String(repeating: "x", count: 64), "a\u{0}b", "line\nbreak", String(repeating: "é", count: 32),
    ])
    func aNameThatAServerWouldCutShortIsRefused(_ name: String) {
        for attempt in [
            { _ = try settings("postgres://db/app", schema: name) },
            { _ = try settings("postgres://db/app", table: name) },
            { _ = try settings("postgres://db/app", channel: name) },
        ] {
            let error = #expect(throws: ElectionError.self) { try attempt() }
            #expect(error?.code == .invalidConfiguration)
        }
    }

    @Test func aNameThatGetsTooLongByItsEndingIsRefused() {
        let name = String(repeating: "x", count: 60)
        let error = #expect(throws: ElectionError.self) { try settings("postgres://db/app", table: name) }
        #expect(error?.message.contains("the table beside") == true)
    }
}
#endif
