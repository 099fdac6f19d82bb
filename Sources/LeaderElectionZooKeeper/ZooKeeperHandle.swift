// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import CElectionZooKeeper
internal import LeaderElection

/// A handle of the client library, and requests that never wait.
///
/// It is a number to the compiler, so that the store can keep it and another thread can close it; only the store sends
/// requests, and nobody does after ``ZooKeeperOpener`` was told to close it.
struct ZooKeeperHandle: Hashable, Sendable {
    private let bits: UInt

    var pointer: OpaquePointer? { OpaquePointer(bitPattern: bits) }

    /// Connects in the background; looks up names of hosts, and so may block.
    static func open(
        servers: String,
        timeout: Duration,
        credentials: ZooKeeperCredentials?,
        inbox: ZooKeeperInbox
    ) -> ZooKeeperHandle? {
        let milliseconds = Int32(clamping: timeout.wholeNanoseconds / 1_000_000)
        guard
            let pointer = zookeeper_init2(
                servers,
                ZooKeeperCallbacks.watcher,
                milliseconds,
                nil,
                inbox.context(0),
                ZOO_NO_LOG_CLIENTENV,
                ZooKeeperCallbacks.log
            )
        else { return nil }
        // The library would look up the names before each time it waits; this way it does so before it connects.
        zoo_set_servers_resolution_delay(pointer, -1)
        let handle = ZooKeeperHandle(bits: UInt(bitPattern: pointer))
        if let credentials {
            let text = credentials.digest
            _ = text.withCString { zoo_add_auth(pointer, "digest", $0, Int32(text.utf8.count), nil, nil) }
        }
        return handle
    }

    /// Ends the session if there is a connection; waits for the library's threads and for the server, for seconds even.
    func close() { zookeeper_close(pointer) }

    var sessionID: Int64 { zoo_client_id(pointer)?.pointee.client_id ?? 0 }

    /// Whether a server has been asked for a session, or to go on with one, and has not answered.
    var isAsking: Bool { zoo_state(pointer) == ZOO_ASSOCIATING_STATE }

    /// As negotiated with the server.
    var timeout: Duration { .milliseconds(Int64(zoo_recv_timeout(pointer))) }

    func create(
        _ path: String,
        _ data: [UInt8],
        isCreatorOnly: Bool,
        mode: Int32,
        _ context: UnsafeMutableRawPointer?
    ) -> Int32 {
        data.withUnsafeBytes { bytes in
            zoo_acreate2(
                pointer,
                path,
                bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                Int32(bytes.count),
                election_zookeeper_acl(isCreatorOnly ? 1 : 0),
                mode,
                ZooKeeperCallbacks.created,
                context
            )
        }
    }

    func delete(_ path: String, _ context: UnsafeMutableRawPointer?) -> Int32 {
        zoo_adelete(pointer, path, -1, ZooKeeperCallbacks.done, context)
    }

    func set(_ path: String, _ data: [UInt8] = [], _ context: UnsafeMutableRawPointer?) -> Int32 {
        data.withUnsafeBytes { bytes in
            // Without a place even no bytes would be nothing at all.
            let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            return "".withCString { empty in
                zoo_aset(pointer, path, start ?? empty, Int32(bytes.count), -1, ZooKeeperCallbacks.changed, context)
            }
        }
    }

    /// - Parameter isWatched: tell with the same context when the node changes or goes.
    func get(_ path: String, isWatched: Bool, _ context: UnsafeMutableRawPointer?) -> Int32 {
        zoo_awget(
            pointer,
            path,
            isWatched ? ZooKeeperCallbacks.watcher : nil,
            context,
            ZooKeeperCallbacks.read,
            context
        )
    }

    func children(_ path: String, isWatched: Bool, _ context: UnsafeMutableRawPointer?) -> Int32 {
        zoo_awget_children2(
            pointer,
            path,
            isWatched ? ZooKeeperCallbacks.watcher : nil,
            context,
            ZooKeeperCallbacks.listed,
            context
        )
    }
}
#endif
