// SPDX-License-Identifier: MIT
#if Postgres
internal import LeaderElection

extension PQFailure {
    /// Codes that decide something here; those that begin with "!" are our own.
    enum State {
        static let noPermission = "42501"
        static let readOnly = "25006"
        static let noTable = "!table"
        static let noNoteTable = "!notes"
        static let tooOld = "!version"
        static let encoding = "!encoding"
    }

    /// Whether a connection to this server, in this state, is of no use for what it is for.
    func endsConnection(as role: PostgresLink.Role) -> Bool {
        guard !isConnectionLost, let sqlState else { return true }
        switch sqlState {
        // No table, schema or column.
        case "42P01", "3F000", "42703": return role == .resident
        // Read-only; the server shuts down.
        case State.readOnly, "57P01", "57P02", "57P03", "57P04", "57P05": return true
        default: return false
        }
    }

    /// Whether the server, or another one behind the same pooler, does not know a statement by its name.
    var isAboutPreparedStatement: Bool { ["26000", "42P05", "0A000"].contains(sqlState) }

    /// What the people who run the database need to know.
    ///
    /// - Parameter isAboutNotes: whether it happened to notes, which need other permissions than leases.
    func electionError(_ settings: PostgresSettings, isAboutNotes: Bool = false) -> ElectionError {
        let (code, text) =
            sqlState.map { isAboutNotes ? explainForNotes($0, settings) : explain($0, settings) }
            ?? explainWithoutState(settings)
        let source = sqlState.map { $0.hasPrefix("!") ? "" : "SQLSTATE \($0)" } ?? "libpq"
        let detail = [source, message].filter { !$0.isEmpty }.joined(separator: ": ")
        return ElectionError(code, detail.isEmpty ? text : "\(text) (\(detail))", cause: self)
    }

    private func explainForNotes(_ state: String, _ settings: PostgresSettings) -> (ElectionError.Code, String) {
        let (place, table) = (settings.place, settings.qualified(settings.noteTable))
        let grant = "GRANT SELECT, INSERT, UPDATE, DELETE ON \(table)"
        switch state {
        case State.noNoteTable:
            return (
                .storeRefused,
                "the table of notes is missing in \(place)"
                    + (settings.createTable ? " and this user may not make it" : "")
                    + ", so that candidates are not listed and instructions not heard; elections go on without. Have "
                    + "its owner run:\n\(PostgresSchema(settings: settings).noteDefinition)\nand \(grant) to this user\n"
            )
        case State.noPermission:
            let schema = settings.schema.map { " and USAGE ON SCHEMA \($0.quoted)" } ?? ""
            return (.storeRefused, "a permission for notes is missing in \(place); \(grant)\(schema)")
        case "55P03": return (.timedOut, "another transaction kept the table of notes locked in \(place)")
        default: return explain(state, settings)
        }
    }

    private func explain(_ state: String, _ settings: PostgresSettings) -> (ElectionError.Code, String) {
        let place = settings.place
        switch state {
        case State.noTable:
            return (
                .storeRefused,
                "the tables of the election are missing in \(place)"
                    + (settings.createTable ? " and this user may not make them" : "")
                    + "; have their owner run:\n\(PostgresSchema(settings: settings).definition)\n"
            )
        case State.tooOld: return (.storeUnsuitable, "\(place) runs a server older than PostgreSQL 12; use a newer one")
        case State.encoding:
            return (
                .storeUnsuitable, "\(place) cannot keep every name; use a database that was made with ENCODING 'UTF8'"
            )
        case State.readOnly:
            return (.storeRefused, "\(place) does not take writes; name the primary, or all hosts of the cluster")
        case State.noPermission:
            let tables = settings.qualified(settings.table) + ", " + settings.qualified(settings.authorityTable)
            let schema = settings.schema.map { " and USAGE ON SCHEMA \($0.quoted)" } ?? ""
            return (
                .storeRefused, "a permission is missing in \(place); GRANT SELECT, INSERT, UPDATE ON \(tables)\(schema)"
            )
        case "42P01", "3F000", "42703":
            return (.storeUnavailable, "the tables of the election are gone, or are others than expected, in \(place)")
        case "57P01", "57P02", "57P03", "57P04", "57P05":
            return (.storeUnavailable, "\(place) ends connections or does not take any now; it is tried again")
        case "57014": return (.timedOut, "\(place) gave a statement up after its time-out; look for locks and load")
        case "55P03": return (.timedOut, "another transaction kept a lease locked in \(place); keep foreign ones short")
        case "40001", "40P01":
            return (.storeUnavailable, "\(place) could not put transactions in an order; tried again")
        case "53300":
            return (.storeUnavailable, "\(place) has no connection left; raise max_connections or use a pooler")
        case "53100", "53200": return (.storeUnavailable, "\(place) is out of disk or memory; free some")
        case "3D000": return (.storeRefused, "\(place) does not exist; create it, or correct its name")
        case let state where state.hasPrefix("28"):
            return (.storeRefused, "\(place) does not let this user in; correct the name, the password or pg_hba.conf")
        case let state where state.hasPrefix("XX") || state.hasPrefix("58"):
            return (.storeUnavailable, "\(place) has an internal error; look into the server's log")
        default: return (.storeUnavailable, "\(place) refused a statement of the election")
        }
    }

    /// libpq does not tell the code of a failed connection, so that its words have to do.
    private func explainWithoutState(_ settings: PostgresSettings) -> (ElectionError.Code, String) {
        let place = settings.place
        func says(_ words: String...) -> Bool { words.contains { message.contains($0) } }
        if says("password authentication failed", "no password supplied", "SASL authentication failed") {
            return (
                .storeRefused, "\(place) does not accept the password; correct it in the URI, PGPASSWORD or passfile"
            )
        }
        if says("no pg_hba.conf entry", "pg_hba.conf rejects", "authentication failed", "is not permitted to log in") {
            return (.storeRefused, "\(place) does not let this user in from here; correct the user or pg_hba.conf")
        }
        if says("FATAL:  database", "no such database") {
            return (.storeRefused, "\(place) does not exist or is closed; create it, or correct its name")
        }
        if says("FATAL:  role", "no such user") {
            return (.storeRefused, "\(place) does not know the user; create it, or correct its name")
        }
        if says("could not translate host name") {
            return (.storeUnavailable, "the name of a host of \(place) has no address; correct it, or look at the DNS")
        }
        // Through TLS, these are the words for a server that went away.
        let isCut = says("SSL SYSCALL error", "SSL connection has been closed", "server closed the connection")
        if says("certificate") || (!isCut && says("SSL", "TLS", "ssl")) {
            return (
                .storeRefused,
                "\(place) and this client do not agree on TLS; look at sslmode, sslrootcert and the certificate"
            )
        }
        if says("too many connections", "too many clients", "connection slots are reserved", "no more connections") {
            return (.storeUnavailable, "\(place) has no connection left; raise max_connections or use a pooler")
        }
        if says("starting up", "shutting down", "not yet accepting", "recovery mode") {
            return (.storeUnavailable, "\(place) does not take connections now; it is tried again")
        }
        if says("session is read-only", "hot standby", "server is in hot standby mode", "read-only") {
            return (
                .storeRefused, "\(place) has no server that takes writes; name the primary, or wait for a fail-over"
            )
        }
        if says("timeout expired", "in time", "timed out") {
            return (.timedOut, "\(place) does not answer; check the host, the port and the network")
        }
        return (.storeUnavailable, "\(place) cannot be reached; check the host, the port and that the server runs")
    }
}
#endif
