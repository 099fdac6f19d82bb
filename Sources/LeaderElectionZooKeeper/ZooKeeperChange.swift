// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import CElectionZooKeeper
internal import Synchronization

/// One of several changes that the servers carry out together, or not at all.
enum ZooKeeperChange: Hashable, Sendable {
    /// Fails unless the node is there.
    case check(String)
    case delete(String)
    case create(String, [UInt8], ZooKeeperOperation.Kind)
    /// Writes to a node that is there, so that the answer holds its ``NodeStat``: all changes bear the same number.
    case touch(String)

    /// What the library has to be given: a path, and what the node is to hold.
    fileprivate var texts: (path: String, data: [UInt8]) {
        switch self {
        case .check(let path), .delete(let path), .touch(let path): (path, [])
        case .create(let path, let data, _): (path, data)
        }
    }

    /// How long the path of the node may be that this makes, if the server numbers it.
    fileprivate var numberedLength: Int {
        if case .create(let path, _, .candidate) = self { path.utf8.count + 12 } else { 0 }
    }
}

/// Where the library writes what came of several changes; it goes on doing so until it has called back, come what may.
private final class ChangeOutcomes {
    let results: UnsafeMutableBufferPointer<zoo_op_result_t>
    let paths: UnsafeMutableBufferPointer<CChar>
    let stat: UnsafeMutablePointer<Stat>

    init(_ changes: [ZooKeeperChange]) {
        results = .allocate(capacity: changes.count)
        results.initialize(repeating: zoo_op_result_t())
        paths = .allocate(capacity: changes.reduce(0) { $0 + $1.numberedLength })
        paths.initialize(repeating: 0)
        stat = .allocate(capacity: 1)
        stat.initialize(to: Stat())
    }

    deinit {
        results.deallocate()
        paths.deallocate()
        stat.deallocate()
    }

    func reply(_ code: Int32) -> ZooKeeperReply {
        var reply = ZooKeeperReply(code)
        guard code == ZooKeeperCode.ok else { return reply }
        reply.children = results.compactMap { result in
            result.value.flatMap { String(cString: $0).split(separator: "/").last.map(String.init) }
        }
        if results.contains(where: { $0.stat != nil }) { reply.stat = NodeStat(UnsafePointer(stat)) }
        return reply
    }
}

extension ZooKeeperHandle {
    private static let outcomes = Mutex<[UInt: UInt]>([:])

    /// Sends several changes as one; the answer names the numbered nodes that were made, in the order of the changes.
    func carryOut(_ changes: [ZooKeeperChange], isCreatorOnly: Bool, _ context: UnsafeMutableRawPointer?) -> Int32 {
        guard let library = pointer else { return ZooKeeperCode.closing }
        let outcomes = ChangeOutcomes(changes)
        let operations = UnsafeMutablePointer<zoo_op_t>.allocate(capacity: changes.count)
        operations.initialize(repeating: zoo_op_t(), count: changes.count)
        // The library keeps none of these beyond the call.
        let size = changes.reduce(0) { $0 + $1.texts.path.utf8.count + $1.texts.data.count + 2 }
        let texts = UnsafeMutableBufferPointer<CChar>.allocate(capacity: size)
        texts.initialize(repeating: 0)
        defer {
            texts.deallocate()
            operations.deallocate()
        }
        var (end, pathsEnd) = (0, 0)
        func kept(_ bytes: some Collection<UInt8>) -> UnsafeMutablePointer<CChar>? {
            let start = texts.baseAddress.map { $0 + end }
            for byte in bytes {
                texts[end] = CChar(bitPattern: byte)
                end += 1
            }
            // With a zero behind it.
            end += 1
            return start
        }
        for (index, change) in changes.enumerated() {
            let (path, data) = change.texts
            let operation = operations + index
            switch change {
            case .check: zoo_check_op_init(operation, kept(path.utf8), -1)
            case .delete: zoo_delete_op_init(operation, kept(path.utf8), -1)
            case .touch: zoo_set_op_init(operation, kept(path.utf8), kept(data), 0, -1, outcomes.stat)
            case .create(_, _, let kind):
                let room = change.numberedLength
                zoo_create_op_init(
                    operation,
                    kept(path.utf8),
                    kept(data),
                    Int32(data.count),
                    election_zookeeper_acl(isCreatorOnly ? 1 : 0),
                    kind.mode,
                    room > 0 ? outcomes.paths.baseAddress.map { $0 + pathsEnd } : nil,
                    Int32(room)
                )
                pathsEnd += room
            }
        }
        let key = UInt(bitPattern: context)
        let results = outcomes.results.baseAddress
        Self.outcomes.withLock { $0[key] = UInt(bitPattern: Unmanaged.passRetained(outcomes).toOpaque()) }
        let code = zoo_amulti(
            library,
            Int32(changes.count),
            operations,
            results,
            ZooKeeperCallbacks.carriedOut,
            context
        )
        if code != ZooKeeperCode.ok { _ = Self.takeReply(key, code) }
        return code
    }

    /// What came of several changes; the library has written the last of it.
    static func takeReply(_ context: UInt, _ code: Int32) -> ZooKeeperReply {
        guard let address = outcomes.withLock({ $0.removeValue(forKey: context) }),
            let pointer = UnsafeRawPointer(bitPattern: address)
        else { return ZooKeeperReply(code) }
        return Unmanaged<ChangeOutcomes>.fromOpaque(pointer).takeRetainedValue().reply(code)
    }
}
#endif
