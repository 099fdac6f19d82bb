// SPDX-License-Identifier: MIT

#if Observability
public import LeaderElection
public import Metrics
public import Tracing

/// Tells a metrics backend and a tracer what elections do.
///
/// ```swift
/// _ = try ElectionObserver([election])
/// ```
/// That is all: the elections keep their observer. The page <doc:Observing> lists the metrics, the spans, and what to
/// alert on.
///
/// **It cannot delay an election.** The engine puts what happens into a bounded buffer and goes on; a thread of the
/// observer's own calls the backends. One that is slow, or blocks for ever, loses observations, which are counted in
/// ``lostObservations`` and as `election_observations_lost_total`, and nothing else. After a loss gauges are set to the
/// present state.
public final class ElectionObserver: Sendable {
    private let queue: ObservationQueue
    private let teller: ObservationTeller
    private let tracer: (any Tracer)?

    /// Observes elections from here on, until they stop.
    ///
    /// - Parameters:
    ///   - elections: what to observe; ``observe(_:)`` adds more.
    ///   - metrics: the backend of the metrics.
    ///   - tracer: where spans go; without one that records, none are made.
    ///   - labelledGroups: groups whose metrics have the label `group` of their own, at most 100; all others then share
    ///     the label `other`. By default no metric has this label, and all groups are summed up: a backend pays for
    ///     each value of a label.
    ///   - bufferSize: how many observations may wait for the backends; at least 1, about 300 bytes each when full.
    /// - Throws: ``/LeaderElection/ElectionError/Code/invalidConfiguration`` for more than 100 labelled groups, or a
    ///   buffer smaller than 1.
    public init(
        _ elections: [ElectionService] = [],
        metrics: any MetricsFactory = MetricsSystem.factory,
        tracer: any Tracer = InstrumentationSystem.tracer,
        labelledGroups: Set<String> = [],
        bufferSize: Int = 65_536
    ) throws {
        guard labelledGroups.count <= 100 else {
            throw ElectionError(
                .invalidConfiguration,
                "labelledGroups has \(labelledGroups.count) names; use at most 100, and let the others be summed up"
            )
        }
        guard bufferSize >= 1 else {
            throw ElectionError(.invalidConfiguration, "bufferSize \(bufferSize) is too small; use at least 1")
        }
        self.tracer = tracer is NoOpTracer ? nil : tracer
        queue = ObservationQueue(limit: bufferSize)
        teller = ObservationTeller(
            queue: queue,
            meters: ElectionMeters(factory: metrics, labelledGroups: labelledGroups)
        )
        for election in elections { observe(election) }
    }

    /// Observes another election from here on; the election keeps this observer's parts alive until it is let go.
    public func observe(_ election: ElectionService) {
        let watch = ElectionWatch(of: election, queue: queue, teller: teller)
        let context = tracer.map { _ in TermContext(clock: election.electionClock) }
        var spans: TermSpans?
        if let tracer, let context {
            spans = TermSpans(tracer: tracer, clock: election.electionClock, of: election, context: context)
        }
        teller.add(watch, group: election.group, spans: spans)
        election.attach(watch, surroundings: context)
    }

    /// How many observations were dropped because a backend was slower than the elections for too long.
    public var lostObservations: Int { queue.lostCount }

    /// Returns once everything that was seen so far was told, or after so much time.
    ///
    /// For the end of a program, and for tests. Observing never depends on it.
    ///
    /// - Returns: false if the time was up or the task cancelled first, as with a backend that blocks.
    @discardableResult
    public func flush(within time: Duration = .seconds(1)) async -> Bool {
        let (stream, continuation) = AsyncStream.makeStream(of: Bool.self)
        teller.whenIdle {
            continuation.yield(true)
            continuation.finish()
        }
        let timer = SystemClock().schedule(at: .now + time) { continuation.finish() }
        defer { timer.cancel() }
        for await isTold in stream { return isTold }
        return false
    }
}
#endif
