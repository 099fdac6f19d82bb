// SPDX-License-Identifier: MIT

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// One connection through a ``FaultProxy``.
final class ProxyConnection {
    /// The bytes that go one way.
    struct Pipe {
        var source: Int32
        var sink: Int32
        /// What was read and may go on when its time has come, in order.
        var queue: [(due: Int64, bytes: [UInt8])] = []
        var outgoing: ArraySlice<UInt8> = []
        /// The source has no more.
        var hasEnded = false
        /// The sink knows it, or is gone.
        var isShut = false
        /// The rest of the stream goes nowhere.
        var isDeaf = false

        var waiting: Int { queue.reduce(outgoing.count) { $0 + $1.bytes.count } }
    }

    private static let limit = 1 << 20

    private var requests: Pipe
    private var replies: Pipe
    private(set) var isConnecting = true
    private(set) var isOver = false
    /// The rules with a pattern that have taken hold of this connection.
    private var caught: Set<Int> = []
    /// The end of what the client sent, for patterns that come in two pieces.
    private var tail: [UInt8] = []
    private var clientSpoke = false

    init(client: Int32, server: Int32) {
        requests = Pipe(source: client, sink: server)
        replies = Pipe(source: server, sink: client)
    }

    /// What to wait for, first at the client, then at the server; a descriptor of -1 is passed over.
    var interests: [pollfd] {
        func interest(_ reading: Pipe, _ writing: Pipe) -> pollfd {
            var events: Int32 = 0
            if !reading.hasEnded && reading.waiting < Self.limit { events |= Int32(POLLIN) }
            if !writing.outgoing.isEmpty && !writing.isShut { events |= Int32(POLLOUT) }
            return pollfd(fd: events == 0 ? -1 : reading.source, events: Int16(events), revents: 0)
        }
        let client = interest(requests, replies)
        if isConnecting { return [client, pollfd(fd: requests.sink, events: Int16(POLLOUT), revents: 0)] }
        return [client, interest(replies, requests)]
    }

    /// When something that is delayed has to go on.
    private(set) var nextDue: Int64?

    func abort() {
        guard !isOver else { return }
        isOver = true
        SocketCalls.abort(requests.source)
        SocketCalls.abort(requests.sink)
    }

    // MARK: Reading

    func read(_ direction: FaultRule.Direction, _ state: inout FaultProxy.State) {
        guard !isOver else { return }
        if direction == .replies && isConnecting {
            guard SocketCalls.pendingError(requests.sink) == 0 else { return abort() }
            isConnecting = false
            return
        }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let source = direction == .requests ? requests.source : replies.source
        let count = systemRead(source, &buffer)
        if count > 0 {
            took(Array(buffer.prefix(count)), direction, &state)
        } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
            if direction == .requests { requests.hasEnded = true } else { replies.hasEnded = true }
        }
    }

    private func took(_ bytes: [UInt8], _ direction: FaultRule.Direction, _ state: inout FaultProxy.State) {
        switch direction {
        case .requests:
            state.counters.requestBytes += bytes.count
            if !clientSpoke { state.counters.roundTrips += 1 }
            clientSpoke = true
            match(bytes, &state)
            if !apply(bytes, direction, &requests, &state) { abort() }
        case .replies:
            state.counters.replyBytes += bytes.count
            clientSpoke = false
            if !apply(bytes, direction, &replies, &state) { abort() }
        }
    }

    private func match(_ bytes: [UInt8], _ state: inout FaultProxy.State) {
        let text = tail + bytes
        func occurs(_ pattern: [UInt8]) -> Bool {
            guard !pattern.isEmpty, text.count >= pattern.count else { return pattern.isEmpty }
            // What lies in the old piece alone was counted with it.
            let first = max(0, tail.count - pattern.count + 1)
            guard first <= text.count - pattern.count else { return false }
            return (first...(text.count - pattern.count)).contains { text[$0...].starts(with: pattern) }
        }
        for pattern in state.patterns.keys where occurs(pattern) { state.patterns[pattern, default: 0] += 1 }
        for index in state.rules.indices {
            let (id, rule) = state.rules[index]
            guard let pattern = rule.pattern, !caught.contains(id), rule.limit != 0, occurs(pattern) else { continue }
            caught.insert(id)
            state.rules[index].rule.limit = rule.limit.map { $0 - 1 }
        }
        tail = text.suffix(255)
    }

    /// False if the connection must be reset.
    private func apply(
        _ bytes: [UInt8],
        _ direction: FaultRule.Direction,
        _ pipe: inout Pipe,
        _ state: inout FaultProxy.State
    ) -> Bool {
        guard !pipe.isDeaf else { return true }
        var bytes = bytes
        var due = ProxyLoop.now()
        for index in state.rules.indices {
            let (id, rule) = state.rules[index]
            guard rule.direction == direction, rule.pattern == nil ? rule.limit != 0 : caught.contains(id) else {
                continue
            }
            if rule.pattern == nil { state.rules[index].rule.limit = rule.limit.map { $0 - 1 } }
            switch rule.action {
            case .hold: break  // decided when it would go on
            case .delay(let duration):
                due += duration.components.seconds * 1_000_000_000 + duration.components.attoseconds / 1_000_000_000
            case .drop:
                pipe.isDeaf = true
                return true
            case .reset: return false
            case .halfClose, .truncate:
                if case .truncate(let count) = rule.action { pipe.queue.append((due, Array(bytes.prefix(count)))) }
                pipe.isDeaf = true
                pipe.hasEnded = true
                return true
            case .garbage(let other): bytes = other
            case .garbageInTurn(let others):
                bytes = others.first ?? []
                state.rules[index].rule.action = .garbageInTurn(Array(others.dropFirst()) + others.prefix(1))
            }
        }
        pipe.queue.append((due, bytes))
        return true
    }

    // MARK: Writing

    /// Passes on what may go on by now.
    func passOn(_ now: Int64, _ rules: [(id: Int, rule: FaultRule)]) {
        nextDue = nil
        guard !isOver, !isConnecting else { return }
        for direction in FaultRule.Direction.allCases {
            let isHeld = rules.contains { id, rule in
                guard case .hold = rule.action, rule.direction == direction else { return false }
                return rule.pattern == nil || caught.contains(id)
            }
            guard !isHeld else { continue }
            if direction == .requests { flush(&requests, now) } else { flush(&replies, now) }
            let due = (direction == .requests ? requests : replies).queue.first?.due
            nextDue = [nextDue, due].compactMap { $0 }.min()
        }
        if requests.isShut && replies.isShut {
            isOver = true
            close(requests.source)
            close(requests.sink)
        }
    }

    private func flush(_ pipe: inout Pipe, _ now: Int64) {
        while let first = pipe.queue.first, first.due <= now {
            pipe.outgoing += first.bytes
            pipe.queue.removeFirst()
        }
        while !pipe.outgoing.isEmpty {
            let count = pipe.outgoing.withUnsafeBytes { send(pipe.sink, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count > 0 {
                pipe.outgoing.removeFirst(count)
            } else if errno == EAGAIN || errno == EINTR {
                return
            } else {
                // Nobody is there to take it; the other direction may still have something to say.
                pipe.outgoing = []
                pipe.queue = []
                pipe.isDeaf = true
                pipe.hasEnded = true
            }
        }
        if pipe.hasEnded && pipe.queue.isEmpty && !pipe.isShut {
            pipe.isShut = true
            shutdown(pipe.sink, Int32(SHUT_WR))
        }
    }
}

private func systemRead(_ descriptor: Int32, _ buffer: inout [UInt8]) -> Int { read(descriptor, &buffer, buffer.count) }
