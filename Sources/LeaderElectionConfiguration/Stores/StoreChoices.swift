// SPDX-License-Identifier: MIT

/// What can be said about a store beside its URL.
package struct StoreChoices: Sendable, Equatable {
    package var allowsNetworkFileSystem = false
    package var sqliteDetectDeath = true
    package var postgresSchema: String?
    package var postgresTable: String?
    package var postgresChannel: String?
    package var postgresCreateTable = true
    package var postgresFailsOver = false
    package var postgresQuarantine = true
    package var consulToken: String?

    package init() {}
}

extension StoreURL {
    /// The store that options name, with what they say beside the URL.
    ///
    /// - Throws: an error that names the option and where it stands, also for one that means nothing to the store.
    package init(reading options: OptionReader) throws {
        guard let found = try options.text("provider") else {
            throw Self.unusable("no store; give provider, such as file:///var/lib/app/election")
        }
        try self.init(found.texts[0], source: found.source)
        try read(options)
    }

    /// Takes what stands beside the URL.
    package mutating func read(_ options: OptionReader) throws {
        try refuseStrangers(options)
        choices.allowsNetworkFileSystem = try options.flag("allow-network-file-system", default: false)
        choices.sqliteDetectDeath = try options.flag("sqlite-detect-process-death", default: true)
        choices.postgresSchema = try options.text("postgres-schema")?.texts[0]
        choices.postgresTable = try options.text("postgres-table")?.texts[0]
        choices.postgresChannel = try options.text("postgres-channel")?.texts[0]
        choices.postgresCreateTable = try options.flag("postgres-create-table", default: true)
        choices.postgresFailsOver = try options.flag("postgres-fails-over-asynchronously", default: false)
        choices.postgresQuarantine = try options.flag("postgres-quarantine", default: true)
        choices.consulToken = try options.text("consul-token")?.texts[0]
    }

    private func refuseStrangers(_ options: OptionReader) throws {
        let scheme: String
        let own: [String]
        switch store {
        case .memory: (scheme, own) = ("memory:", [])
        case .directory: (scheme, own) = ("file:", ["allow-network-file-system"])
        case .database: (scheme, own) = ("sqlite:", ["allow-network-file-system", "sqlite-detect-process-death"])
        case .postgres: (scheme, own) = ("postgres:", OptionNames.store.filter { $0.hasPrefix("postgres-") })
        case .redis: (scheme, own) = ("redis:", [])
        case .zookeeper: (scheme, own) = ("zookeeper:", [])
        case .consul: (scheme, own) = ("consul:", ["consul-token"])
        }
        for name in OptionNames.store where name != "provider" && !own.contains(name) {
            if let found = options.find(name) {
                throw Self.unusable(
                    "\(found.source) means nothing to \(scheme), which provider names; remove one of them"
                )
            }
        }
    }
}
