// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection
internal import NIOCore

/// One open connection: answers belong to requests by their order alone.
///
/// Whatever goes wrong ends it, and everything that still waits for an answer then fails. Lives on the event loop.
actor RedisConnection {
    typealias Completion = @Sendable (Result<[RedisValue], ElectionError>) -> Void

    /// Where it leads, for people.
    nonisolated let address: String
    nonisolated let loop: any EventLoop
    private let channel: any Channel

    private struct Batch {
        let id: UInt64
        let answers: Int
        var received: [RedisValue] = []
        let timer: Scheduled<Void>
        let complete: Completion
    }

    private var pending = CircularBuffer<Batch>()
    private var lastBatch: UInt64 = 0
    private var onClose: (@Sendable (ElectionError) -> Void)?
    private var onPush: (@Sendable (RedisValue) -> Void)?
    /// Why it ended.
    private(set) var failure: ElectionError?
    /// What the server said of itself; known from the login on.
    private(set) var info: RedisServerInfo?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.executor.asUnownedSerialExecutor() }

    init(_ channel: any Channel, address: String) {
        self.channel = channel
        self.address = address
        loop = channel.eventLoop
    }

    /// Sends in one write; `complete` is called once, on the event loop.
    /// - Returns: what ``abandon(_:_:)`` knows it by.
    @discardableResult
    func submit(_ request: RedisRequest, until deadline: NIODeadline, _ complete: @escaping Completion) -> UInt64 {
        lastBatch += 1
        let id = lastBatch
        if let failure {
            complete(.failure(failure))
            return id
        }
        let timer = loop.scheduleTask(deadline: deadline) { [weak self] in
            guard let self else { return }
            self.assumeIsolated { $0.timedOut(id) }
        }
        pending.append(Batch(id: id, answers: request.answers, timer: timer, complete: complete))
        channel.writeAndFlush(request.bytes, promise: nil)
        return id
    }

    func request(_ request: RedisRequest, until deadline: NIODeadline) -> EventLoopFuture<[RedisValue]> {
        let promise = loop.makePromise(of: [RedisValue].self)
        submit(request, until: deadline) { promise.completeWith($0.mapError { $0 as any Error }) }
        return promise.futureResult
    }

    /// Sends something whose answers go to ``listen(_:)``.
    func send(_ request: RedisRequest) {
        if failure == nil { channel.writeAndFlush(request.bytes, promise: nil) }
    }

    /// Ends the connection if the request still waits: its answer could not be told from a later one's.
    func abandon(_ id: UInt64, _ error: ElectionError) {
        guard pending.contains(where: { $0.id == id }) else { return }
        close(error, for: id)
    }

    private func timedOut(_ id: UInt64) {
        let error = ElectionError(
            .timedOut,
            "Redis at \(address) did not answer in time; the connection is made anew"
        )
        abandon(id, error)
    }

    /// From now on every reply that nobody waits for goes to `receive`.
    func listen(_ receive: @escaping @Sendable (RedisValue) -> Void) { onPush = receive }

    /// Calls `notify` on the event loop when the connection has ended; at once if it has already.
    func whenClosed(_ notify: @escaping @Sendable (ElectionError) -> Void) {
        if let failure { notify(failure) } else { onClose = notify }
    }

    func loggedIn(_ info: RedisServerInfo) { self.info = info }

    func received(_ value: RedisValue) {
        guard failure == nil else { return }
        guard !pending.isEmpty else {
            if let onPush { return onPush(value) }
            // What a server says before it closes: that it has too many clients, for instance.
            if let error = value.error { return close(error.electionError(address)) }
            return close(
                ElectionError(
                    .storeUnavailable,
                    "Redis at \(address) sent an answer to nothing; the connection is made anew"
                )
            )
        }
        pending[pending.startIndex].received.append(value)
        let first = pending[pending.startIndex]
        guard first.received.count == first.answers else { return }
        pending.removeFirst()
        first.timer.cancel()
        first.complete(.success(first.received))
    }

    /// Ends it, for callers on the event loop.
    nonisolated func end(_ error: ElectionError) { assumeIsolated { $0.close(error) } }

    /// - Parameter id: the request that was the cause: it fails with the error itself, all others by consequence.
    func close(_ error: ElectionError, for id: UInt64? = nil) {
        guard failure == nil else { return }
        failure = error
        channel.close(promise: nil)
        let lost = pending
        pending = []
        let notify = onClose
        (onClose, onPush) = (nil, nil)
        let consequence =
            id == nil ? error : ElectionError(error.code, "an earlier request failed: \(error.message)", cause: error)
        notify?(error)
        for batch in lost {
            batch.timer.cancel()
            batch.complete(.failure(batch.id == id ? error : consequence))
        }
    }
}
#endif
