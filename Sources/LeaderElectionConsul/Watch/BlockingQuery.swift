// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import NIOCore
internal import Synchronization

/// Asks for all entries below a prefix, again and again: Consul answers once any of them has changed.
///
/// Between an answer and the next question nothing is missed: the question names what was seen. Everything happens on the
/// event loop, in order, where this is to be started and cancelled as well.
final class BlockingQuery: Sendable {
    struct Answer: Sendable {
        let entries: KVListing
        let index: UInt64
        /// Nothing was seen before, or not without a gap.
        let isFirst: Bool
        /// The index is older than the one before, so that it means nothing any more: the query begins anew.
        let wentBack: Bool
        let received: ElectionInstant
    }

    /// What an answer was worth.
    enum Worth: Sendable {
        /// There is nothing new in it: Consul may answer early, but not in a loop.
        case nothing
        /// The next question need not come before that.
        case news(pause: Duration)
    }

    /// Told on the event loop.
    struct Reader: Sendable {
        /// Asked before each question; the query ends if nobody wants an answer.
        let isWanted: @Sendable () -> Bool
        /// To call back when it is time for a first question after so many failures in a row: where an agent allows few
        /// connections, others go first.
        let turn: @Sendable (_ failures: Int, _ ask: @escaping @Sendable () -> Void) -> Void
        /// How many seconds Consul may leave the next question unanswered; it adds up to a sixteenth.
        let wait: @Sendable () -> Int64
        let read: @Sendable (Answer) throws -> Worth
        /// Told with the number of failures in a row; what was seen is old now, and the next answer is a first one.
        let interrupted: @Sendable (any Error, _ failures: Int) -> Void
    }

    private struct State {
        var isEnded = false
        var index: UInt64 = 0
        var failures = 0
        /// Set while a question is under way.
        var cancel: (@Sendable () -> Void)?
        /// Why the question under way was given up for the sake of others.
        var obstacle: (any Error)?
        /// When that was the case last, and how often in a row.
        var gaveWay: (at: ElectionInstant, times: Int) = (.distantPast, 0)
        var budget = ReadingBudget()
        var random = SystemRandomNumberGenerator()
    }

    /// Who gave way tries again after twice this at the latest, then more and more rarely.
    private static var absence: Duration { .seconds(2) }
    private static var longestAbsence: Duration { .seconds(60) }

    private let http: ConsulHTTP
    private let path: String
    private let purpose: ConsulHTTP.Purpose
    private let longestRetry: Duration
    private let reader: Reader
    private let state = Mutex(State())

    init(
        _ http: ConsulHTTP,
        below path: String,
        for purpose: ConsulHTTP.Purpose,
        longestRetry: Duration,
        _ reader: Reader
    ) {
        self.http = http
        self.path = path
        self.purpose = purpose
        self.longestRetry = longestRetry
        self.reader = reader
    }

    var isEnded: Bool { state.withLock { $0.isEnded } }

    func start() { askFirst() }

    func cancel() {
        let cancel = state.withLock { state in
            defer { (state.isEnded, state.cancel) = (true, nil) }
            return state.cancel
        }
        cancel?()
    }

    /// Lets go of the connection for a while: others fail with this error, perhaps because this query takes up what an
    /// agent allows.
    func giveWay(to error: any Error) {
        let cancel = state.withLock { state -> (@Sendable () -> Void)? in
            // A first question has no connection yet, or will not have it for long.
            guard let cancel = state.cancel, state.index > 0 else { return nil }
            state.obstacle = error
            return cancel
        }
        cancel?()
    }

    private func askFirst() {
        reader.turn(state.withLock { $0.failures }) { [weak self] in self?.ask() }
    }

    private func ask() {
        let isWanted = reader.isWanted()
        let index = state.withLock { state -> UInt64? in
            state.isEnded = state.isEnded || !isWanted
            return state.isEnded ? nil : state.index
        }
        guard let index else { return }
        let seconds = reader.wait()
        let wait = index == 0 ? "" : "&index=\(index)&wait=\(seconds)s"
        let limit = index == 0 ? Duration.seconds(10) : .seconds(seconds) * 17 / 16 + .seconds(5)
        let sent = ElectionInstant.now
        let (reply, cancel) = http.send(.get, "kv/\(path)?recurse\(wait)", within: limit, for: purpose)
        state.withLock { $0.cancel = cancel }
        reply.whenComplete { [weak self] result in self?.answered(result, after: index, sent: sent) }
    }

    private func answered(_ result: Result<ConsulReply, any Error>, after index: UInt64, sent: ElectionInstant) {
        guard !isEnded else { return }
        state.withLock { $0.cancel = nil }
        let received = ElectionInstant.now
        do {
            let reply = try result.get()
            guard let newIndex = reply.index, newIndex > 0 else {
                throw ElectionError(.storeUnsuitable, "what answers is not Consul: it gives no index")
            }
            var worth = Worth.nothing
            if newIndex != index || index == 0 {
                let answer = Answer(
                    entries: KVListing(reply.outcome == .done ? reply.body : ByteBuffer()),
                    index: newIndex,
                    isFirst: index == 0,
                    wentBack: newIndex < index,
                    received: received
                )
                worth = try reader.read(answer)
                state.withLock { ($0.index, $0.failures) = (answer.wentBack ? 0 : newIndex, 0) }
            }
            let now = ElectionInstant.now
            let early: Duration = received - sent < .milliseconds(100) ? .milliseconds(200) : .zero
            var pause = state.withLock { $0.budget.spend(now - received, at: now) }
            switch worth {
            case .news(let least): pause = max(pause, least)
            case .nothing: pause = max(pause, early)
            }
            // Servers that answer in turn, and whose indices differ, are not asked in a loop either.
            if newIndex < index { pause = max(pause, early) }
            again(after: pause)
        } catch {
            let (failures, cause, pause) = state.withLock { state in
                state.failures += 1
                state.index = 0
                let cause = state.obstacle ?? error
                if state.obstacle == nil {
                    let schedule = RetrySchedule(first: .milliseconds(100), cap: longestRetry)
                    return (state.failures, cause, schedule.delay(afterFailures: state.failures, using: &state.random))
                }
                state.obstacle = nil
                let isAgain = received - state.gaveWay.at < Self.longestAbsence * 2
                state.gaveWay = (received, isAgain ? state.gaveWay.times + 1 : 1)
                let schedule = RetrySchedule(first: Self.absence, cap: Self.longestAbsence)
                let more = schedule.delay(afterFailures: state.gaveWay.times, using: &state.random)
                return (state.failures, cause, Self.absence + more)
            }
            reader.interrupted(cause, failures)
            again(after: pause)
        }
    }

    private func again(after pause: Duration) {
        let isFirst = state.withLock { $0.index == 0 }
        guard pause > .zero else { return isFirst ? askFirst() : ask() }
        http.loop.scheduleTask(in: TimeAmount(pause)) { [weak self] in isFirst ? self?.askFirst() : self?.ask() }
    }
}
#endif
