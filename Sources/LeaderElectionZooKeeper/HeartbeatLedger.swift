// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import LeaderElection

/// Until when a session is known to live: the deadline rule of "two heartbeats deep" (SAFETY 2.6).
///
/// That a server acknowledged a write says that the session lived then, but not that the ensemble's leader will count
/// its time from there: the server that serves us passes signs of life on only every half tick, and may be lost before.
/// It passes them on in order, however. So once a write was acknowledged that was sent a tick later than another, the
/// leader has heard of the earlier one, and ends the session no sooner than one time-out after that one was sent.
struct HeartbeatLedger: Sendable {
    /// What the negotiated time-out is reckoned in; the server's `tickTime`.
    private let tick: Duration
    /// The session's time-out, as negotiated.
    let timeout: Duration
    /// The session lives for a time-out from here, whatever happens.
    private(set) var proven: ElectionInstant
    /// When the acknowledged writes were sent that may yet prove something, earliest first.
    private var sent: [ElectionInstant] = []

    /// - Parameter born: before the session was asked for. Its creation reaches the ensemble's leader itself.
    init(born: ElectionInstant, timeout: Duration, tick: Duration) {
        proven = born
        self.timeout = timeout
        self.tick = tick
    }

    /// A write was acknowledged.
    ///
    /// - Parameter sent: before it was handed to the client library.
    mutating func acknowledged(sent: ElectionInstant, received: ElectionInstant) {
        guard received - sent <= tick / 2, received >= sent else { return }
        if let earlier = self.sent.last(where: { $0 <= sent - tick }) { proven = max(proven, earlier) }
        // Answers come in order, so that these are in order, too; what is older than the proof proves nothing more.
        if self.sent.last.map({ $0 < sent }) ?? true { self.sent.append(sent) }
        let proof = proven
        self.sent.removeAll { $0 < proof }
    }

    /// When the last write was sent that was acknowledged in time.
    var lastAcknowledged: ElectionInstant { sent.last ?? .distantPast }

    /// The lease to answer a request with, so that the deadline that the engine reckons from it is never later than
    /// that of a lease of one time-out that was asked for at ``proven``.
    ///
    /// The engine takes a margin off that shrinks with the lease, and a part of it for clocks that drift by up to 5 %.
    /// What the request is younger than the proof is therefore taken off 1 / (1 − 2 · 5 % − 5 %) times.
    func leaseDuration(requested: ElectionInstant) -> Duration {
        let age = max(.zero, requested - proven)
        return timeout - age * Self.factor
    }

    /// The lease that heartbeats in time are good for, at the least: what a grant should not be shorter than.
    func regularLease(heartbeatInterval: Duration) -> Duration {
        timeout * 0.95 - (tick + heartbeatInterval) * Self.factor
    }

    private static var factor: Double { 1.18 }
}
#endif
