// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection

/// Which node owns which slot, as one node of a cluster told it.
struct ClusterTable: Sendable {
    /// By slot; nil where no node owns it.
    private(set) var owners = [RedisSettings.Address?](repeating: nil, count: HashSlot.count)
    /// All nodes that take writes, in the order of their slots.
    private(set) var primaries: [RedisSettings.Address] = []
    private(set) var replicas: [RedisSettings.Address] = []

    init() {}

    /// Reads what `CLUSTER SLOTS` answered.
    /// - Parameter teller: the node that was asked; it may leave out its own host.
    init?(_ answer: RedisValue, from teller: RedisSettings.Address) {
        guard let ranges = answer.array else { return nil }
        for range in ranges {
            guard let parts = range.array, parts.count >= 3, let first = parts[0].integer, let last = parts[1].integer,
                first >= 0, last < Int64(HashSlot.count), first <= last
            else { return nil }
            let nodes = parts[2...].compactMap { Self.address($0, from: teller) }
            guard let owner = nodes.first else { continue }
            for slot in Int(first)...Int(last) { owners[slot] = owner }
            if !primaries.contains(owner) { primaries.append(owner) }
            for replica in nodes.dropFirst() where !replicas.contains(replica) { replicas.append(replica) }
        }
    }

    mutating func move(_ slot: Int, to owner: RedisSettings.Address) {
        owners[slot] = owner
        if !primaries.contains(owner) { primaries.append(owner) }
    }

    private static func address(
        _ node: RedisValue,
        from teller: RedisSettings.Address
    ) -> RedisSettings.Address? {
        guard let parts = node.array, parts.count >= 2, let port = parts[1].integer, (1...65535).contains(port) else {
            return nil
        }
        let host = parts[0].text ?? ""
        // A node that does not know its own address means: the one under which it was asked.
        guard host.isEmpty else { return host == "?" ? nil : .host(host, port: Int(port)) }
        guard case .host(let host, _) = teller else { return nil }
        return .host(host, port: Int(port))
    }
}
#endif
