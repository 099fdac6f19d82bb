// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import CElectionZooKeeper
internal import Synchronization

/// What is known of a node beside its data.
struct NodeStat: Hashable, Sendable {
    var czxid: Int64
    var ephemeralOwner: Int64
    var version: Int32
    /// When the node was written last.
    var mzxid: Int64 = 0
    /// When a child was made or deleted last.
    var pzxid: Int64 = 0
    var childCount: Int32 = 0
}

extension NodeStat {
    init(_ stat: UnsafePointer<Stat>) {
        czxid = stat.pointee.czxid
        ephemeralOwner = stat.pointee.ephemeralOwner
        version = stat.pointee.version
        mzxid = stat.pointee.mzxid
        pzxid = stat.pointee.pzxid
        childCount = stat.pointee.numChildren
    }
}

/// The answer to one request.
struct ZooKeeperReply: Sendable {
    var code: Int32
    var stat: NodeStat?
    /// The name of a created node.
    var path: String?
    var data: [UInt8]?
    /// The names of a node's children, or of the numbered nodes that were made together.
    var children: [String]?

    init(_ code: Int32) { self.code = code }

    init(_ code: Int32, _ stat: UnsafePointer<Stat>?) {
        self.code = code
        self.stat = stat.map { NodeStat($0) }
    }
}

enum ZooKeeperEvent: Sendable {
    case session(state: Int32)
    case watch(id: UInt64, isGone: Bool)
    case reply(id: UInt64, ZooKeeperReply)
}

/// What the client library's thread leaves for the store: callbacks only copy and put it here.
///
/// Contexts are numbers, never pointers: the upper part names the session, the lower one the request, so that whatever
/// the library still says of a session that was closed finds nobody.
final class ZooKeeperInbox: Sendable {
    private static let inboxes = Mutex<[UInt64: ZooKeeperInbox]>([:])
    private static let lastSession = Atomic<UInt64>(0)
    /// 2⁴⁰ requests a session, and 2²⁴ sessions, before anything repeats.
    private static var requestBits: UInt64 { 40 }

    let session: UInt64
    private let wake: @Sendable () -> Void
    private let events = Mutex<(waiting: [ZooKeeperEvent], isWoken: Bool)>(([], false))

    /// - Parameter wake: called when there is something to take, from the library's thread.
    init(wake: @escaping @Sendable () -> Void) {
        session = Self.lastSession.wrappingAdd(1, ordering: .relaxed).newValue & (1 << 24 - 1)
        self.wake = wake
        Self.inboxes.withLock { $0[session] = self }
    }

    /// How many sessions are listened to.
    static var openSessions: Int { inboxes.withLock { $0.count } }

    /// Nothing arrives any more.
    func close() {
        Self.inboxes.withLock { $0[session] = nil }
        events.withLock { $0.waiting = [] }
    }

    func take() -> [ZooKeeperEvent] {
        events.withLock { events in
            events.isWoken = false
            defer { events.waiting = [] }
            return events.waiting
        }
    }

    /// What the library gives back with the answer to a request of this session.
    func context(_ request: UInt64) -> UnsafeMutableRawPointer? {
        UnsafeMutableRawPointer(bitPattern: UInt(session << Self.requestBits | request))
    }

    private func put(_ event: ZooKeeperEvent) {
        let mustWake = events.withLock { events in
            events.waiting.append(event)
            defer { events.isWoken = true }
            return !events.isWoken
        }
        if mustWake { wake() }
    }

    fileprivate static func put(_ context: UInt, _ event: (_ request: UInt64) -> ZooKeeperEvent?) {
        guard let inbox = inboxes.withLock({ $0[UInt64(context) >> requestBits] }) else { return }
        if let event = event(UInt64(context) & (1 << requestBits - 1)) { inbox.put(event) }
    }
}

/// What the library calls; it is called on one thread of the library's, and must not block it.
enum ZooKeeperCallbacks {
    static let watcher: watcher_fn = { _, type, state, _, context in
        let context = UInt(bitPattern: context)
        ZooKeeperInbox.put(context) { request in
            guard type == ZOO_SESSION_EVENT else { return .watch(id: request, isGone: type == ZOO_DELETED_EVENT) }
            // Every watch is told of the session, too; once is enough.
            return request == 0 ? .session(state: state) : nil
        }
    }

    static let done: void_completion_t = { code, context in
        ZooKeeperInbox.put(UInt(bitPattern: context)) { .reply(id: $0, ZooKeeperReply(code)) }
    }

    static let carriedOut: void_completion_t = { code, context in
        let reply = ZooKeeperHandle.takeReply(UInt(bitPattern: context), code)
        ZooKeeperInbox.put(UInt(bitPattern: context)) { .reply(id: $0, reply) }
    }

    static let changed: stat_completion_t = { code, stat, context in
        ZooKeeperInbox.put(UInt(bitPattern: context)) { .reply(id: $0, ZooKeeperReply(code, stat)) }
    }

    static let created: string_stat_completion_t = { code, path, stat, context in
        ZooKeeperInbox.put(UInt(bitPattern: context)) { request in
            var reply = ZooKeeperReply(code, stat)
            reply.path = path.map { String(cString: $0) }
            return .reply(id: request, reply)
        }
    }

    static let read: data_completion_t = { code, data, length, stat, context in
        ZooKeeperInbox.put(UInt(bitPattern: context)) { request in
            var reply = ZooKeeperReply(code, stat)
            reply.data = UnsafeRawBufferPointer(start: data, count: data == nil ? 0 : max(0, Int(length))).map(\.self)
            return .reply(id: request, reply)
        }
    }

    static let listed: strings_stat_completion_t = { code, names, stat, context in
        ZooKeeperInbox.put(UInt(bitPattern: context)) { request in
            var reply = ZooKeeperReply(code, stat)
            if let names = names?.pointee {
                reply.children = UnsafeBufferPointer(start: names.data, count: Int(names.count)).compactMap { name in
                    name.map { String(cString: $0) }
                }
            }
            return .reply(id: request, reply)
        }
    }

    /// The library would write to standard error by itself.
    static let log: log_callback_fn = { _ in }
}
#endif
