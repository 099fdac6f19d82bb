// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import CElectionZooKeeper
internal import Synchronization

/// One of several changes that the servers carry out together, or not at all.
enum ZooKeeperChange: Hashable, Sendable {
    /// Fails unless the node is there.
    case check(String)
    case delete(String)
    /// For as long as the session lasts.
    case create(String, [UInt8])
}

extension ZooKeeperHandle {
    /// Where the library writes results, by context; it goes on doing so until it has called back, come what may.
    private static let results = Mutex<[UInt: UInt]>([:])

    /// Sends several changes as one.
    func carryOut(_ changes: [ZooKeeperChange], isCreatorOnly: Bool, _ context: UnsafeMutableRawPointer?) -> Int32 {
        guard let library = pointer else { return ZooKeeperCode.closing }
        let operations = UnsafeMutablePointer<zoo_op_t>.allocate(capacity: changes.count)
        let outcomes = UnsafeMutablePointer<zoo_op_result_t>.allocate(capacity: changes.count)
        operations.initialize(repeating: zoo_op_t(), count: changes.count)
        outcomes.initialize(repeating: zoo_op_result_t(), count: changes.count)
        // The library keeps none of these beyond the call.
        var texts: [UnsafeMutablePointer<CChar>] = []
        defer {
            for text in texts { text.deallocate() }
            operations.deallocate()
        }
        func kept(_ bytes: some Collection<UInt8>) -> UnsafeMutablePointer<CChar> {
            let text = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count + 1)
            for (index, byte) in bytes.enumerated() { text[index] = CChar(bitPattern: byte) }
            text[bytes.count] = 0
            texts.append(text)
            return text
        }
        for (index, change) in changes.enumerated() {
            switch change {
            case .check(let path): zoo_check_op_init(operations + index, kept(path.utf8), -1)
            case .delete(let path): zoo_delete_op_init(operations + index, kept(path.utf8), -1)
            case .create(let path, let data):
                zoo_create_op_init(
                    operations + index,
                    kept(path.utf8),
                    kept(data),
                    Int32(data.count),
                    election_zookeeper_acl(isCreatorOnly ? 1 : 0),
                    ZOO_EPHEMERAL,
                    nil,
                    0
                )
            }
        }
        let key = UInt(bitPattern: context)
        Self.results.withLock { $0[key] = UInt(bitPattern: outcomes) }
        let code = zoo_amulti(
            library,
            Int32(changes.count),
            operations,
            outcomes,
            ZooKeeperCallbacks.carriedOut,
            context
        )
        if code != ZooKeeperCode.ok { Self.forgetResults(key) }
        return code
    }

    /// The library is done with them.
    static func forgetResults(_ context: UInt) {
        guard let address = results.withLock({ $0.removeValue(forKey: context) }) else { return }
        UnsafeMutablePointer<zoo_op_result_t>(bitPattern: address)?.deallocate()
    }
}
#endif
