// SPDX-License-Identifier: MIT

internal import Foundation
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// Stands between a client and a server, and breaks their connections as it is told.
///
///     let proxy = try FaultProxy(to: server.port)
///     defer { proxy.close() }
///     let url = proxy.url(server.url)          // what the client connects to
///     proxy.add(.init(.drop, .replies, whenRequestContains: "EVALSHA"))
///     …
///     proxy.clear()                            // what was held goes on
package final class FaultProxy: Sendable {
    /// What has gone through.
    package struct Counters: Sendable {
        /// Connections that were accepted, and those that are open now.
        package var connections = 0
        package var openConnections = 0
        package var requestBytes = 0
        package var replyBytes = 0
        /// How often a client began to speak after silence or an answer: its round trips, if it waits for answers.
        package var roundTrips = 0
    }

    struct State {
        var rules: [(id: Int, rule: FaultRule)] = []
        var nextRule = 1
        var counters = Counters()
        var patterns: [[UInt8]: Int] = [:]
        /// How many connections may be open at once.
        var room = Int.max
        var resets = 0
        var isClosed = false
    }

    final class Shared: Sendable {
        let state = Mutex(State())
    }

    /// Where it listens, on 127.0.0.1.
    package let port: UInt16
    private let target: UInt16
    private let shared = Shared()
    private let wakeUp: Int32

    /// Listens on a port that the system chooses.
    package init(to target: UInt16) throws {
        let listener = SocketCalls.make()
        let bound = SocketCalls.bind(listener, to: NetworkAddress(host: "127.0.0.1", port: 0))
        guard listener >= 0, bound == 0, listen(listener, 512) == 0 else {
            throw ProxyError(description: "cannot listen: \(String(cString: strerror(errno)))")
        }
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
            throw ProxyError(description: "no pair of sockets: \(String(cString: strerror(errno)))")
        }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        port = SocketCalls.port(of: listener)
        self.target = target
        wakeUp = ends[1]
        let (shared, waker) = (shared, ends[0])
        Thread.detachNewThread {
            ProxyLoop(shared: shared, listener: listener, waker: waker, target: target).run()
        }
    }

    deinit {
        close()
        _ = systemClose(wakeUp)
    }

    /// The same URL with this proxy's port in place of the server's.
    package func url(_ url: String) -> String { url.replacing(":\(target)", with: ":\(port)") }

    /// Applies a rule from now on, on open connections as well; they apply in the order in which they were added.
    @discardableResult
    package func add(_ rule: FaultRule) -> Int {
        change { state in
            defer { state.nextRule += 1 }
            state.rules.append((state.nextRule, rule))
            return state.nextRule
        }
    }

    package func remove(_ id: Int) { change { $0.rules.removeAll { $0.id == id } } }

    /// Everything passes again; what was held goes on its way, what was dropped stays lost.
    package func clear() {
        change {
            $0.rules = []
            $0.room = .max
        }
    }

    /// A peer that is there and silent, in both directions: the cable is out, nobody noticed.
    package func hold() { for direction in FaultRule.Direction.allCases { add(FaultRule(.hold, direction)) } }

    /// New connections are reset at once.
    package func refuse() { admit(0) }

    /// New connections are reset at once while so many are open.
    package func admit(_ connections: Int) { change { $0.room = connections } }

    /// Resets all connections that are open.
    package func resetAll() { change { $0.resets += 1 } }

    /// Ends all connections and listens no more.
    package func close() { change { $0.isClosed = true } }

    package var counters: Counters { shared.state.withLock { $0.counters } }

    /// Counts from now on in how many pieces of requests a text occurs.
    package func watch(for text: String) { change { $0.patterns[Array(text.utf8)] = 0 } }

    /// How often a text that is watched for has been seen.
    package func occurrences(of text: String) -> Int { shared.state.withLock { $0.patterns[Array(text.utf8)] ?? 0 } }

    private func change<Result: Sendable>(_ body: (inout State) -> Result) -> Result {
        let result = shared.state.withLock { body(&$0) }
        var byte: UInt8 = 0
        // The thread may have ended already, which is no reason for a signal.
        _ = send(wakeUp, &byte, 1, Int32(MSG_NOSIGNAL))
        return result
    }
}

/// A proxy that could not be made.
struct ProxyError: Error, CustomStringConvertible {
    var description: String
}

private func systemClose(_ descriptor: Int32) -> Int32 { close(descriptor) }
