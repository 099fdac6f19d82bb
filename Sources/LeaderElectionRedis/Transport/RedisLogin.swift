// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection

/// The first words on a connection, sent in one write, and what the answers mean.
struct RedisLogin: Sendable {
    private enum Step {
        case authenticate, select, name, role, info
    }

    let commands: [RedisCommand]
    private let steps: [Step]
    private let login: RedisConnector.Login
    private let address: String

    init(_ login: RedisConnector.Login, address: String) {
        self.login = login
        self.address = address
        var script: [(Step, RedisCommand)] = []
        if let password = login.password {
            let words = [login.username, password].compactMap(\.self)
            script.append((.authenticate, RedisCommand(["AUTH"] + words)))
        }
        if login.database != 0 { script.append((.select, RedisCommand("SELECT", String(login.database)))) }
        if let name = login.clientName { script.append((.name, RedisCommand("CLIENT", "SETNAME", name))) }
        if login.mustBePrimary { script.append((.role, RedisCommand("ROLE"))) }
        if login.asksForInfo { script.append((.info, RedisCommand("INFO"))) }
        // Something has to be answered, or nobody would notice a server that hangs or wants a password.
        if script.isEmpty { script.append((.info, RedisCommand("INFO", "server"))) }
        steps = script.map(\.0)
        commands = script.map(\.1)
    }

    /// Throws if the server does not let us in, or is not what was looked for.
    func evaluate(_ answers: [RedisValue], _ id: RedisServerInfo.ConnectionID) throws(ElectionError) -> RedisServerInfo
    {
        var info = RedisServerInfo(connection: id, address: address)
        for (step, answer) in zip(steps, answers) {
            if let error = answer.error { try check(error, step) }
            switch step {
            case .info: if let text = answer.text { info.read(text) }
            case .role: if let role = answer.array?.first?.text { info.role = RedisServerInfo.Role(rawValue: role) }
            case .authenticate, .select, .name: break
            }
        }
        guard !login.mustBePrimary || info.role != .replica else {
            throw ElectionError(
                .storeUnavailable,
                "Redis at \(address) is a replica, though the sentinels name it as the primary; a fail-over may be under way"
            )
        }
        return info
    }

    private func check(_ error: RedisServerError, _ step: Step) throws(ElectionError) {
        // Where a command is merely not permitted or not known, the connection is good all the same.
        let isFatal =
            switch step {
            case .authenticate, .select: true
            case .name, .role, .info: error.isAboutTheConnection
            }
        guard isFatal else { return }
        if step == .select, error.prefix == "ERR" {
            throw ElectionError(
                .storeRefused,
                "Redis at \(address) has no database \(login.database) (\(error.message)); name another one",
                cause: error
            )
        }
        // From servers that know no users yet.
        if step == .authenticate, error.prefix == "ERR" {
            if error.message.contains("wrong number of arguments") {
                throw ElectionError(
                    .storeRefused,
                    "Redis at \(address) is too old to know users; give a password alone",
                    cause: error
                )
            }
            if error.message.contains("without any password configured") || error.message.contains("no password is set")
            {
                throw ElectionError(
                    .storeRefused,
                    "Redis at \(address) has no password, but one was given; leave it out, or set one at the server",
                    cause: error
                )
            }
        }
        throw error.electionError(address)
    }
}

extension RedisServerInfo {
    /// Takes in what `INFO` answered.
    mutating func read(_ text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":"), line.first != "#" else { continue }
            fields[String(line[..<colon])] = String(line[line.index(after: colon)...])
        }
        func number(_ name: String) -> Int64? { fields[name].flatMap { Int64($0) } }
        runID = fields["run_id"]
        replicationID = fields["master_replid"]
        role = fields["role"].flatMap { Role(rawValue: $0) } ?? role
        product = fields["server_name"] ?? product
        version = fields["valkey_version"] ?? fields["redis_version"]
        isClusterMember = fields["cluster_enabled"] == "1"
        uptime = number("uptime_in_seconds").map { .seconds($0) }
        maxMemoryPolicy = fields["maxmemory_policy"]
        maxMemory = number("maxmemory")
        isAppendOnly = fields["aof_enabled"].map { $0 == "1" }
        connectedReplicas = number("connected_slaves").map { Int(clamping: $0) }
        changesSinceSnapshot = number("rdb_changes_since_last_save")
    }
}
#endif
