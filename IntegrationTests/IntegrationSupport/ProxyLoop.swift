// SPDX-License-Identifier: MIT

internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// The thread of a ``FaultProxy``: accepts, reads, and passes on.
final class ProxyLoop {
    private let shared: FaultProxy.Shared
    private let listener: Int32
    private let waker: Int32
    private let target: UInt16
    private var connections: [ProxyConnection] = []
    private var resets = 0

    init(shared: FaultProxy.Shared, listener: Int32, waker: Int32, target: UInt16) {
        self.shared = shared
        self.listener = listener
        self.waker = waker
        self.target = target
    }

    static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    func run() {
        while true {
            let (rules, wanted, isClosed) = shared.state.withLock {
                ($0.rules, $0.resets, $0.isClosed)
            }
            if isClosed || wanted != resets {
                resets = wanted
                for connection in connections { connection.abort() }
            }
            let now = Self.now()
            for connection in connections { connection.passOn(now, rules) }
            connections.removeAll(where: \.isOver)
            let count = connections.count
            shared.state.withLock { $0.counters.openConnections = count }
            guard !isClosed else { break }
            wait(until: connections.compactMap(\.nextDue).min(), now: now)
        }
        close(listener)
        close(waker)
    }

    private func wait(until due: Int64?, now: Int64) {
        var polled = [
            pollfd(fd: waker, events: Int16(POLLIN), revents: 0),
            pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
        ]
        for connection in connections { polled += connection.interests }
        let timeout = due.map { max(0, ($0 - now + 999_999) / 1_000_000) } ?? -1
        guard poll(&polled, nfds_t(polled.count), Int32(clamping: timeout)) > 0 else { return }
        if polled[0].revents != 0 {
            var bytes = [UInt8](repeating: 0, count: 64)
            while read(waker, &bytes, bytes.count) > 0 {}
        }
        for (index, connection) in connections.enumerated() {
            let (client, server) = (polled[2 + 2 * index], polled[3 + 2 * index])
            if client.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 {
                shared.state.withLock { connection.read(.requests, &$0) }
            }
            let events = POLLIN | POLLHUP | POLLERR | (connection.isConnecting ? POLLOUT : 0)
            if server.revents & Int16(events) != 0 {
                shared.state.withLock { connection.read(.replies, &$0) }
            }
        }
        if polled[1].revents != 0 { accept(room: shared.state.withLock { $0.room }) }
    }

    private func accept(room: Int) {
        while true {
            let client = systemAccept(listener)
            guard client >= 0 else { return }
            _ = fcntl(client, F_SETFD, FD_CLOEXEC)
            SocketCalls.setUp(client)
            shared.state.withLock { $0.counters.connections += 1 }
            let server = SocketCalls.make()
            let address = NetworkAddress(host: "127.0.0.1", port: target)
            let isAdmitted = connections.count < room
            guard isAdmitted, server >= 0, SocketCalls.connect(server, to: address) == 0 || errno == EINPROGRESS else {
                SocketCalls.abort(client)
                if server >= 0 { close(server) }
                continue
            }
            connections.append(ProxyConnection(client: client, server: server))
        }
    }
}

private func systemAccept(_ descriptor: Int32) -> Int32 { accept(descriptor, nil, nil) }
