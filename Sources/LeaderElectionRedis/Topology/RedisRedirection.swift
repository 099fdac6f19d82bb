// SPDX-License-Identifier: MIT
#if Redis

/// Where a cluster's node sends those who ask it about a slot that it does not own.
struct RedisRedirection: Hashable, Sendable {
    let slot: Int
    /// Nil if the node that said it is meant, only on another port.
    let host: String?
    let port: Int
    /// Whether it is for one command only: the slot is still being moved.
    let isForOnce: Bool

    /// `MOVED 3999 10.0.0.1:6381`, also with an IPv6 address, or without a host.
    init?(_ error: RedisServerError) {
        switch error.prefix {
        case "MOVED": isForOnce = false
        case "ASK": isForOnce = true
        default: return nil
        }
        let words = error.message.split(separator: " ")
        guard words.count >= 2, let slot = Int(words[0]), (0..<HashSlot.count).contains(slot),
            let colon = words[1].lastIndex(of: ":"),
            let port = Int(words[1][words[1].index(after: colon)...]), (1...65535).contains(port)
        else { return nil }
        self.slot = slot
        self.port = port
        let host = words[1][..<colon]
        self.host = host.isEmpty || host == "?" ? nil : String(host)
    }

    func address(saidBy node: RedisSettings.Address) -> RedisSettings.Address? {
        if let host { return .host(host, port: port) }
        guard case .host(let host, _) = node else { return nil }
        return .host(host, port: port)
    }
}
#endif
