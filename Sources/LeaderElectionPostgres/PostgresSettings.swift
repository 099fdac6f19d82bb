// SPDX-License-Identifier: MIT
#if Postgres
internal import LeaderElection
internal import Logging

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// Where the database is, and what the things in it are called.
struct PostgresSettings: Sendable {
    /// What the URI says; with the password, so never shown.
    private let connection: [String: String]
    let schema: SQLName?
    let table: SQLName
    let authorityTable: SQLName
    let noteTable: SQLName
    let channel: SQLName
    let createTable: Bool
    let quarantine: Bool
    let logger: Logger?
    /// The hosts and the database: what a message may say about the server.
    let place: String

    init(
        uri: String,
        schema: String?,
        table: String,
        channel: String?,
        createTable: Bool,
        quarantine: Bool,
        logger: Logger?
    ) throws {
        connection = try Self.parse(uri)
        self.schema = try schema.map { try SQLName($0, what: "schema") }
        self.table = try SQLName(table, what: "table")
        let stem = table.hasSuffix("_lease") ? String(table.dropLast("_lease".count)) : table
        authorityTable = try SQLName(stem + "_authority", what: "name of the table beside \"\(table)\"")
        noteTable = try SQLName(stem + "_note", what: "name of the table of notes beside \"\(table)\"")
        // Channels belong to a whole database, so that the schema has to be a part of their name.
        self.channel = try SQLName(
            channel ?? (schema.map { $0 + "." } ?? "") + table,
            what: channel == nil ? "channel derived from schema and table" : "channel"
        )
        self.createTable = createTable
        self.quarantine = quarantine
        self.logger = logger
        place = Self.place(connection)
    }

    func qualified(_ name: SQLName) -> String { (schema.map { $0.quoted + "." } ?? "") + name.quoted }

    /// What to connect with.
    ///
    /// - Parameters:
    ///   - patience: how long a server may be silent.
    ///   - withOptions: whether to ask for time-outs as well; some poolers let nobody in who does.
    func parameters(patience: Duration, withOptions: Bool) -> [(keyword: String, value: String)] {
        let milliseconds = max(1, patience.wholeNanoseconds / 1_000_000)
        var parameters = connection
        func add(_ keyword: String, _ value: String, environment: String? = nil) {
            guard parameters[keyword] == nil, environment.map({ getenv($0) == nil }) ?? true else { return }
            parameters[keyword] = value
        }
        // libpq takes whole seconds, and at least two.
        add("connect_timeout", "\(max(2, (milliseconds + 999) / 1000))", environment: "PGCONNECT_TIMEOUT")
        add("tcp_user_timeout", "\(milliseconds)")
        add("keepalives", "1")
        add("keepalives_idle", "15")
        add("keepalives_interval", "5")
        add("keepalives_count", "3")
        add("fallback_application_name", "leader-election")
        if (parameters["host"] ?? parameters["hostaddr"] ?? "").contains(",") {
            add("target_session_attrs", "read-write", environment: "PGTARGETSESSIONATTRS")
        }
        parameters["client_encoding"] = "UTF8"
        if withOptions {
            let own =
                "-c statement_timeout=\(milliseconds) -c lock_timeout=\(max(1, milliseconds * 4 / 5))"
                + " -c default_transaction_isolation=read\\ committed"
                // Plans that are made once: the same few statements come again and again.
                + " -c plan_cache_mode=force_generic_plan -c jit=off"
                // They are often made while the table is empty, and must suit one that has grown.
                + " -c enable_seqscan=off"
            // What the user asks for comes last, and so wins.
            let given = parameters["options"] ?? getenv("PGOPTIONS").map { String(cString: $0) }
            parameters["options"] = given.map { own + " " + $0 } ?? own
        }
        return parameters.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private static func parse(_ uri: String) throws -> [String: String] {
        let example = "postgres://user:password@host/database"
        guard uri.hasPrefix("postgres://") || uri.hasPrefix("postgresql://"), !uri.utf8.contains(0),
            let settings = PQConnection.parse(uri)
        else {
            throw ElectionError(
                .invalidConfiguration,
                "this is not a URI that libpq understands (it is not shown, as it may hold a password); "
                    + "use \(example), and write characters such as @ / ? # % in its parts as %40 %2F %3F %23 %25"
            )
        }
        // A password with a plain @ or / would be taken for a host, and would then be shown in messages.
        let behindScheme = uri[uri.range(of: "://").upperBound...].prefix { $0 != "?" }
        let path = behindScheme.drop { $0 != "/" }
        let ports = (settings["port"] ?? "").split(separator: ",")
        guard behindScheme.count(where: { $0 == "@" }) <= 1, !path.contains("@"),
            ports.allSatisfy({ port in port.utf8.allSatisfy { (0x30...0x39).contains($0) } })
        else {
            throw ElectionError(
                .invalidConfiguration,
                "the parts of the URI cannot be told apart (it is not shown, as it may hold a password); "
                    + "write @ as %40 and / as %2F within user, password and database, as in \(example)"
            )
        }
        return settings
    }

    private static func place(_ settings: [String: String]) -> String {
        let hosts = (settings["host"] ?? settings["hostaddr"] ?? "").split(
            separator: ",",
            omittingEmptySubsequences: false
        )
        let ports = (settings["port"] ?? "").split(separator: ",", omittingEmptySubsequences: false)
        let servers = hosts.enumerated().map { index, host in
            let port = ports.indices.contains(index) ? ports[index] : ports.first ?? ""
            return host + (port.isEmpty ? "" : ":\(port)")
        }
        let database = settings["dbname"].map { "database \"\($0)\"" } ?? "the default database"
        let place = servers.filter { !$0.isEmpty }.joined(separator: ", ")
        return place.isEmpty ? database : "\(database) at \(place)"
    }
}

extension String {
    fileprivate func range(of text: String) -> Range<Index> {
        var start = startIndex
        while start < endIndex, !self[start...].hasPrefix(text) { start = index(after: start) }
        return start..<(index(start, offsetBy: text.count, limitedBy: endIndex) ?? endIndex)
    }
}
#endif
