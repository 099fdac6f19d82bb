// SPDX-License-Identifier: MIT
#if Postgres
internal import LeaderElection

/// Channels beside the one that all listen to, so that some of a crowd can be told of a release before the others.
///
/// Each process listens to one of them, drawn by lot. Telling all would take the processors from those whose turn it is.
struct PostgresLots: Sendable {
    let all: [SQLName]
    /// The one that this process listens to.
    let own: SQLName

    init(of channel: SQLName) throws {
        // A channel's own name may be as long as names can be.
        let stem = "election_lot_\(channel.name.fingerprint)_"
        all = try (0..<HintSpread.lots).map { try SQLName("\(stem)\($0)", what: "channel of a lot") }
        own = all[Int.random(in: all.indices)]
    }

    /// The channels on which a few of so many processes are told first; none if they are few themselves.
    func drawn(among listeners: Int) -> [SQLName] {
        guard listeners > HintSpread.unspread else { return [] }
        return Array(all.shuffled().prefix((HintSpread.drawn * HintSpread.lots + listeners - 1) / listeners))
    }

    /// About how many of so many processes listen to the same of these channels.
    static func share(of listeners: Int) -> Int { max(1, listeners / HintSpread.lots) }
}
#endif
