// SPDX-License-Identifier: MIT
#if Postgres
internal import LeaderElection
internal import Testing

@testable internal import LeaderElectionPostgres

struct FailureTests {
    private var settings: PostgresSettings {
        get throws {
            try PostgresSettings(
                uri: "postgres://app:hunter2@db:5432/app",
                schema: "s",
                table: "leader_election_lease",
                channel: nil,
                createTable: false,
                quarantine: true,
                logger: nil
            )
        }
    }

    @Test(arguments: [
        ("28P01", ElectionError.Code.storeRefused, "password"), ("3D000", .storeRefused, "does not exist"),
        ("42501", .storeRefused, "GRANT SELECT, INSERT, UPDATE ON \"s\".\"leader_election_lease\""),
        ("25006", .storeRefused, "primary"), ("53300", .storeUnavailable, "max_connections"),
        ("53100", .storeUnavailable, "disk"), ("57P01", .storeUnavailable, "tried again"),
        ("57014", .timedOut, "time-out"), ("55P03", .timedOut, "locked"), ("40P01", .storeUnavailable, "order"),
        ("42P01", .storeUnavailable, "gone"), ("XX000", .storeUnavailable, "log"),
        ("99999", .storeUnavailable, "refused"),
    ])
    func aCodeOfTheServerBecomesAnErrorWithARemedy(_ state: String, _ code: ElectionError.Code, _ words: String) throws
    {
        let error = PQFailure(sqlState: state, message: "said the server").electionError(try settings)
        #expect(error.code == code)
        #expect(error.message.contains(words))
        #expect(error.message.contains("\"app\" at db:5432"))
        #expect(error.message.contains("SQLSTATE \(state): said the server"))
        #expect(!error.message.contains("hunter2"))
    }

    @Test(arguments: [
        ("FATAL:  password authentication failed for user \"app\"", ElectionError.Code.storeRefused, "password"),
        ("fe_sendauth: no password supplied", .storeRefused, "password"),
        ("FATAL:  no pg_hba.conf entry for host", .storeRefused, "pg_hba.conf"),
        ("FATAL:  database \"app\" does not exist", .storeRefused, "create it"),
        ("FATAL:  role \"app\" does not exist", .storeRefused, "user"),
        ("could not translate host name \"db\" to address: Name or service not known", .storeUnavailable, "DNS"),
        ("SSL error: certificate verify failed", .storeRefused, "sslrootcert"),
        ("SSL error: wrong version number", .storeRefused, "sslmode"),
        ("SSL SYSCALL error: EOF detected", .storeUnavailable, "cannot be reached"),
        ("SSL connection has been closed unexpectedly", .storeUnavailable, "cannot be reached"),
        ("FATAL:  sorry, too many clients already", .storeUnavailable, "max_connections"),
        ("FATAL:  the database system is starting up", .storeUnavailable, "tried again"),
        ("session is read-only", .storeRefused, "primary"), ("timeout expired", .timedOut, "does not answer"),
        ("Connection refused", .storeUnavailable, "cannot be reached"),
    ])
    func wordsOfLibpqBecomeAnErrorWithARemedy(_ message: String, _ code: ElectionError.Code, _ words: String) throws {
        let error = PQFailure(message: message, isConnectionLost: true).electionError(try settings)
        #expect(error.code == code)
        #expect(error.message.contains(words))
        #expect(error.message.contains("libpq: \(message)"))
    }

    @Test func missingTablesAreGivenAsStatements() throws {
        let error = PQFailure(sqlState: PQFailure.State.noTable, message: "").electionError(try settings)
        #expect(error.code == .storeRefused)
        #expect(error.message.contains("CREATE TABLE IF NOT EXISTS \"s\".\"leader_election_lease\""))
        #expect(error.message.contains("CREATE TABLE IF NOT EXISTS \"s\".\"leader_election_authority\""))
        #expect(error.message.contains("CREATE TABLE IF NOT EXISTS \"s\".\"leader_election_note\""))
    }

    @Test func aMissingTableOfNotesIsNoMatterOfElections() throws {
        let failure = PQFailure(sqlState: PQFailure.State.noNoteTable, message: "")
        let error = failure.electionError(try settings, isAboutNotes: true)
        #expect(error.code == .storeRefused)
        #expect(error.message.contains("elections go on"))
        #expect(error.message.contains("CREATE TABLE IF NOT EXISTS \"s\".\"leader_election_note\""))
        #expect(error.message.contains("GRANT SELECT, INSERT, UPDATE, DELETE ON \"s\".\"leader_election_note\""))
        // Who mends this has nothing to do with the other tables.
        #expect(!error.message.contains("leader_election_lease"))
    }

    @Test(arguments: [
        ("42501", ElectionError.Code.storeRefused, "DELETE ON \"s\".\"leader_election_note\""),
        ("55P03", .timedOut, "table of notes locked"), ("53300", .storeUnavailable, "max_connections"),
    ])
    func aCodeThatConcernsNotesSpeaksOfThem(_ state: String, _ code: ElectionError.Code, _ words: String) throws {
        let error = PQFailure(sqlState: state, message: "").electionError(try settings, isAboutNotes: true)
        #expect(error.code == code)
        #expect(error.message.contains(words))
    }

    @Test func onlyWhatTouchesTheWholeConnectionEndsIt() {
        func ends(_ state: String?, as role: PostgresLink.Role) -> Bool {
            PQFailure(sqlState: state, message: "").endsConnection(as: role)
        }
        for role in [PostgresLink.Role.resident, .guest] {
            for state in ["25006", "57P01", nil] { #expect(ends(state, as: role)) }
            for state in ["42501", "40P01", "55P03", "23505", "53100"] { #expect(!ends(state, as: role)) }
        }
        // A table of notes that is missing says nothing about the others.
        for state in ["42P01", "3F000", "42703"] {
            #expect(ends(state, as: .resident))
            #expect(!ends(state, as: .guest))
        }
    }

    @Test func notificationsSayWhatHappenedToAGroup() throws {
        func hint(_ payload: String) -> ProviderHint? { PostgresPush.hint(in: payload, listeners: 3) }
        #expect(hint("r17:group") == .freed(try ElectionGroup("group"), listeners: 3))
        #expect(hint("a1795232446677:a:b") == .taken(try ElectionGroup("a:b"), listeners: 3))
        #expect(hint("t18:group") == .changed(try ElectionGroup("group")))
        #expect(hint("n:a:b") == .noted(try ElectionGroup("a:b")))
        #expect(hint("r1:é") == .freed(try ElectionGroup("é"), listeners: 3))
    }

    @Test(arguments: ["", "r1", "r1:", "z1:group", "1:group", ":group", "R1:group", "é:group"])
    func notificationsOfOthersAreNotUnderstood(_ payload: String) {
        #expect(PostgresPush.hint(in: payload, listeners: 3) == nil)
    }
}
#endif
