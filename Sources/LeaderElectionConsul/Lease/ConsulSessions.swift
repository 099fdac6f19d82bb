// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import NIOCore
internal import Synchronization

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// The sessions of a provider: one for each length of a lease, which is to say one.
///
/// A session is made when it is first wanted, and renewed by one request for all groups: whoever asks while a renewal is
/// under way shares the next one, because the present one may have been sent before.
final class ConsulSessions: Sendable {
    private struct Slot {
        var session: ConsulSession?
        var creating: EventLoopFuture<ConsulSession>?
        var isRenewing = false
        var nextRenewal: EventLoopPromise<ConsulSession?>?
    }

    private struct Created: Decodable {
        var id: String

        private enum CodingKeys: String, CodingKey { case id = "ID" }
    }

    private let http: ConsulHTTP
    private let settings: ConsulSettings
    private let onLoss: @Sendable (String) -> Void
    private let slots = Mutex<[Duration: Slot]>([:])

    /// - Parameter onLoss: called with a session that has ended, once.
    init(_ http: ConsulHTTP, _ settings: ConsulSettings, onLoss: @escaping @Sendable (String) -> Void) {
        self.http = http
        self.settings = settings
        self.onLoss = onLoss
    }

    var all: [(lease: Duration, session: ConsulSession)] {
        slots.withLock { $0.compactMap { lease, slot in slot.session.map { (lease, $0) } } }
    }

    /// The session for leases of this length, unless it was not renewed for as long as it is to last.
    ///
    /// Consul leaves it up to twice that time. But a renewal that arrives just when Consul ends it is answered like any
    /// other, and the session is gone a moment later: whoever was paused or cut off for so long takes a new one.
    func current(_ lease: Duration) -> ConsulSession? {
        let (session, old) = slots.withLock { slots -> (ConsulSession?, ConsulSession?) in
            guard let session = slots[lease]?.session else { return (nil, nil) }
            guard session.provenAt + lease <= .now else { return (session, nil) }
            slots[lease]?.session = nil
            return (nil, session)
        }
        if let old { onLoss(old.id) }
        return session
    }

    /// The session for leases of this length, which is made if there is none.
    func session(_ lease: Duration, within timeout: Duration) -> EventLoopFuture<ConsulSession> {
        if let session = current(lease) { return http.loop.makeSucceededFuture(session) }
        let (future, promise) = slots.withLock {
            slots -> (EventLoopFuture<ConsulSession>, EventLoopPromise<ConsulSession>?) in
            let slot = slots[lease] ?? Slot()
            if let session = slot.session { return (http.loop.makeSucceededFuture(session), nil) }
            if let creating = slot.creating { return (creating, nil) }
            let promise = http.loop.makePromise(of: ConsulSession.self)
            slots[lease, default: Slot()].creating = promise.futureResult
            return (promise.futureResult, promise)
        }
        guard let promise else { return future }
        let reply = http.send(.put, "session/create?", body: body(lease), within: timeout).reply
        reply.flatMapThrowing { reply in
            let created: Created = try TransactionResult.decode(reply.body)
            return ConsulSession(id: created.id, provenAt: reply.sent)
        }.whenComplete { result in
            self.slots.withLock { slots in
                slots[lease]?.creating = nil
                if case .success(let session) = result { slots[lease]?.session = session }
            }
            promise.completeWith(result)
        }
        return future
    }

    /// Renews the session by a request that is sent after this call began; nil if the session has ended.
    func renew(_ lease: Duration, within timeout: Duration) -> EventLoopFuture<ConsulSession?> {
        guard current(lease) != nil else { return http.loop.makeSucceededFuture(nil) }
        let (future, start) = slots.withLock {
            slots -> (EventLoopFuture<ConsulSession?>, EventLoopPromise<ConsulSession?>?) in
            if slots[lease]?.isRenewing ?? false {
                let promise = slots[lease]?.nextRenewal ?? http.loop.makePromise(of: ConsulSession?.self)
                slots[lease]?.nextRenewal = promise
                return (promise.futureResult, nil)
            }
            slots[lease, default: Slot()].isRenewing = true
            let promise = http.loop.makePromise(of: ConsulSession?.self)
            return (promise.futureResult, promise)
        }
        if let start { send(lease, within: timeout, start) }
        return future
    }

    private func send(_ lease: Duration, within timeout: Duration, _ promise: EventLoopPromise<ConsulSession?>) {
        guard let session = slots.withLock({ $0[lease]?.session }) else {
            return finish(lease, within: timeout, promise, .success(nil))
        }
        http.send(.put, "session/renew/\(session.id)?", within: timeout).reply.whenComplete { result in
            switch result {
            case .failure(let error): self.finish(lease, within: timeout, promise, .failure(error))
            case .success(let reply):
                guard reply.outcome == .done else {
                    self.ended(session.id)
                    return self.finish(lease, within: timeout, promise, .success(nil))
                }
                let renewed = ConsulSession(id: session.id, provenAt: reply.sent)
                let isCurrent = self.slots.withLock { slots in
                    guard slots[lease]?.session?.id == session.id else { return false }
                    slots[lease]?.session = renewed
                    return true
                }
                self.finish(lease, within: timeout, promise, .success(isCurrent ? renewed : nil))
            }
        }
    }

    private func finish(
        _ lease: Duration,
        within timeout: Duration,
        _ promise: EventLoopPromise<ConsulSession?>,
        _ result: Result<ConsulSession?, any Error>
    ) {
        let next = slots.withLock { slots -> EventLoopPromise<ConsulSession?>? in
            let next = slots[lease]?.nextRenewal
            slots[lease]?.nextRenewal = nil
            slots[lease]?.isRenewing = next != nil
            return next
        }
        promise.completeWith(result)
        if let next { send(lease, within: timeout, next) }
    }

    /// Consul does not know the session any more.
    func ended(_ id: String) {
        let wasOurs = slots.withLock { slots in
            guard let lease = slots.first(where: { $0.value.session?.id == id })?.key else { return false }
            slots[lease]?.session = nil
            return true
        }
        if wasOurs { onLoss(id) }
    }

    /// Ends all sessions but those; keys that they still hold are locked for the lock-delay.
    func destroy(except kept: Set<String>, within timeout: Duration) -> EventLoopFuture<Void> {
        let ids = slots.withLock { slots in
            let ids = slots.values.compactMap { $0.session?.id }.filter { !kept.contains($0) }
            for lease in slots.keys { slots[lease]?.session = nil }
            return ids
        }
        let done = ids.map { http.send(.put, "session/destroy/\($0)?", within: timeout).reply.map { _ in } }
        return .andAllComplete(done, on: http.loop)
    }

    /// No checks of the node: a false alarm of the gossip would end the session before its time.
    private func body(_ lease: Duration) -> ByteBuffer {
        let delay = settings.lockDelay(forLease: lease).wholeNanoseconds / 1_000_000
        return ByteBuffer(
            string: """
                {"Name":"leader-election","TTL":"\(lease.wholeNanoseconds / 1_000_000)ms","LockDelay":"\(delay)ms",\
                "Behavior":"release","NodeChecks":[],"Checks":[]}
                """
        )
    }
}
#endif
