// SPDX-License-Identifier: MIT

#if Observability
internal import LeaderElection
internal import Tracing

/// The spans of one election: one for each term, and in it one for each call to the store.
struct TermSpans {
    private let tracer: any Tracer
    private let clock: any ElectionClock
    private let election: String
    private let candidate: String
    private let context: TermContext
    private var term: (span: any Span, number: Int64)?
    /// What the boot clock lacks to the time of day; kept for as long as it is about right, so that spans fit together.
    private var offset: Int64?

    init(tracer: any Tracer, clock: any ElectionClock, of service: ElectionService, context: TermContext) {
        self.tracer = tracer
        self.clock = clock
        self.context = context
        election = service.group.name
        candidate = service.candidate.id
    }

    mutating func begin(_ event: ElectionEvent) {
        end(nil, at: event.instant)
        guard let number = event.term else { return }
        let span = start("election term", at: event.instant, in: .topLevel)
        span.attributes["election.term"] = number
        term = (span, number)
        context.begin(number, span.context)
    }

    mutating func end(_ reason: String?, at instant: ElectionInstant) {
        guard let (span, number) = term else { return }
        term = nil
        if let reason { span.attributes["election.reason"] = reason }
        if reason == "expired" || reason == "superseded" || reason == "clock-jumped" {
            span.setStatus(SpanStatus(code: .error, message: reason))
        }
        span.end(at: timestamp(instant))
        context.end(number)
    }

    /// Ends whatever span there is of another term.
    mutating func end(unless number: Int64?, at instant: ElectionInstant) {
        if term?.number != number { end(nil, at: instant) }
    }

    /// Something that happened within the term.
    mutating func note(_ name: String, at instant: ElectionInstant) {
        term?.span.addEvent(SpanEvent(name: name, at: timestamp(instant)))
    }

    mutating func call(_ operation: ElectionOperation, sent: ElectionInstant, outcome: String) {
        let parent = operation.term == term?.number ? term?.span.context : nil
        let span = start("election \(operation.kind.rawValue)", at: sent, in: parent ?? .topLevel, kind: .client)
        if let number = operation.term { span.attributes["election.term"] = number }
        span.attributes["election.outcome"] = outcome
        if outcome == "unknown" { span.setStatus(SpanStatus(code: .error, message: "the outcome is unknown")) }
        span.end(at: timestamp(operation.instant))
    }

    private mutating func start(
        _ name: String,
        at instant: ElectionInstant,
        in context: ServiceContext,
        kind: SpanKind = .internal
    ) -> any Span {
        let span = tracer.startSpan(name, context: context, ofKind: kind, at: timestamp(instant))
        span.attributes["election.group"] = election
        span.attributes["election.candidate"] = candidate
        return span
    }

    private mutating func timestamp(_ instant: ElectionInstant) -> DefaultTracerClock.Timestamp {
        let current = clock.wallNanoseconds - clock.now.nanoseconds
        // The wall clock is read coarsely, so this jitters by some milliseconds.
        if let known = offset, abs(known - current) < 20_000_000 {} else { offset = current }
        let nanoseconds = instant.nanoseconds + (offset ?? current)
        return DefaultTracerClock.Timestamp(nanosecondsSinceEpoch: UInt64(max(0, nanoseconds)))
    }
}
#endif
