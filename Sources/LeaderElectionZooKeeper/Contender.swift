// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import LeaderElection

/// A node in a group's queue: one of ours, or one of another client's recipe.
///
/// The server numbers all nodes of a queue together, whatever their names begin with, so that all can be ordered.
struct Contender: Hashable, Sendable {
    /// Nil for names as we give them, which can be told from the rest: there may be thousands.
    private let otherName: String?
    /// The number that the server gave the node.
    let sequence: Int32
    /// The nonce at the beginning of names that we gave.
    let nonce: Nonce?
    /// Whose names look like this one; nil if unknown.
    let recipe: ZooKeeperQueueNaming?

    /// Nil for a node that is not numbered, and so takes no part.
    init?(_ name: String) {
        let bytes = Array(name.utf8)
        guard bytes.count > 10, bytes.suffix(10).allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        var prefix = bytes.dropLast(10)
        // Numbers go on below zero after 2³¹. A "-" belongs to the name where the recipe ends in one.
        var isNegative = false
        if prefix.last == UInt8(ascii: "-"),
            let before = prefix.dropLast().last, before == UInt8(ascii: "-") || before == UInt8(ascii: "_")
        {
            isNegative = true
            prefix = prefix.dropLast()
        }
        guard let number = Int64(String(decoding: bytes.suffix(10), as: UTF8.self)),
            let sequence = Int32(exactly: isNegative ? -number : number)
        else { return nil }
        self.sequence = sequence
        let recipe = ZooKeeperQueueNaming.allCases.first { prefix.reversed().starts(with: $0.marker.utf8.reversed()) }
        self.recipe = recipe
        nonce = Nonce(String(decoding: bytes.prefix(32), as: UTF8.self))
        let isPlain =
            nonce != nil && !isNegative && prefix.count == 32 + (recipe?.marker.utf8.count ?? 0)
            && recipe != nil && !bytes.prefix(32).contains { (0x41...0x5A).contains($0) }
        otherName = isPlain ? nil : name
    }

    var name: String {
        if let otherName { return otherName }
        let digits = String(sequence)
        return (nonce?.description ?? "") + (recipe?.marker ?? "")
            + String(repeating: "0", count: 10 - digits.utf8.count)
            + digits
    }

    /// Numbers are compared as distances, so that their order outlives their overflow.
    static func < (left: Contender, right: Contender) -> Bool {
        left.sequence == right.sequence ? left.name < right.name : left.sequence &- right.sequence < 0
    }

    /// The queue that these nodes form, whose first one leads.
    static func queue(_ names: [String]) -> [Contender] { names.compactMap(Contender.init).sorted(by: <) }
}

extension ZooKeeperQueueNaming {
    /// What stands before the number.
    var marker: String {
        switch self {
        case .kazoo: "__lock__"
        case .curatorLatch: "-latch-"
        case .curatorLock: "-lock-"
        }
    }

    /// What a node is created as; the server adds its number.
    func nodePrefix(_ nonce: Nonce) -> String { nonce.description + marker }
}
#endif
