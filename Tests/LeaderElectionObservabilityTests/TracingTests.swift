// SPDX-License-Identifier: MIT

#if Observability
import InMemoryTracing
import LeaderElection
import LeaderElectionObservability
import LeaderElectionTesting
import Metrics
import Testing
import Tracing

@Suite(.timeLimit(.minutes(2))) struct TracingTests {
    let bench = Bench()
    let tracer = InMemoryTracer()

    private func spans(_ name: String) -> [FinishedInMemorySpan] {
        tracer.finishedSpans.filter { $0.operationName == name }
    }

    @Test func callsAndWorkNestInTheTerm() async throws {
        let (election, _) = try bench.service("alone")
        let observer = try ElectionObserver([election], metrics: NOOPMetricsHandler.instance, tracer: tracer)
        var events = election.events.makeAsyncIterator()
        let (worked, continuation) = AsyncStream.makeStream(of: Void.self)
        try await bench.during(election) {
            async let work: Void = election.whileLeader { [tracer] _ in
                tracer.withSpan("billing") { _ in continuation.finish() }
            }
            for await _ in worked {}
            _ = try await events.next(.acquired)
            _ = try await bench.renew(&events)
            election.stop()
            try await work
        }
        #expect(await observer.flush(within: .seconds(60)))
        let term = try #require(spans("election term").first)
        #expect(spans("election term").count == 1)
        #expect(term.parentSpanID == nil)
        #expect(term.attributes["election.reason"]?.toSpanAttribute() == .string("stopped"))
        #expect(term.attributes["election.group"]?.toSpanAttribute() == .string("group"))
        for name in ["election renew", "billing"] {
            let span = try #require(spans(name).first)
            #expect(span.parentSpanID == term.spanID, "\(name)")
            #expect(span.traceID == term.traceID, "\(name)")
        }
        let acquire = try #require(spans("election acquire").last)
        #expect(acquire.attributes["election.outcome"]?.toSpanAttribute() == .string("ok"))
        #expect(acquire.kind == .client)
        #expect(spans("election release").count == 1)
    }

    @Test func spansLastAsLongAsWhatTheyDescribe() async throws {
        let (election, _) = try bench.service("alone")
        let observer = try ElectionObserver([election], metrics: NOOPMetricsHandler.instance, tracer: tracer)
        var events = election.events.makeAsyncIterator()
        try await bench.during(election) {
            _ = try await events.next(.acquired)
            _ = try await bench.renew(&events)
            election.stop()
            _ = try await events.next(.lost)
        }
        #expect(await observer.flush(within: .seconds(60)))
        let term = try #require(spans("election term").first)
        let lasted = term.endInstant.nanosecondsSinceEpoch - term.startInstant.nanosecondsSinceEpoch
        #expect(lasted == 3_200_000_000)
    }

    @Test func workBeginsWithoutItsSpanIfTheTracerBlocks() async throws {
        let (election, _) = try bench.service("alone")
        let blockade = Blockade()
        let blocking = BlockingTracer(blockade: blockade, wrapped: tracer)
        let observer = try ElectionObserver([election], metrics: NOOPMetricsHandler.instance, tracer: blocking)
        let (contexts, continuation) = AsyncStream.makeStream(of: Bool.self)
        try await bench.during(election) {
            async let work: Void = election.whileLeader { _ in
                continuation.yield(ServiceContext.current?.inMemorySpanContext != nil)
                continuation.finish()
            }
            let leadership = try await election.waitForLeadership()
            await blockade.waitUntilSomebodyIsBlocked()
            try await bench.clock.waitForTimer(by: bench.clock.now + .milliseconds(100))
            bench.clock.advance(by: .milliseconds(100))
            var told = contexts.makeAsyncIterator()
            #expect(await told.next() == false)
            #expect(leadership.isValid)
            election.stop()
            try await work
        }
        blockade.open()
        #expect(await observer.flush(within: .seconds(60)))
    }
}

/// Blocks whoever starts a span.
struct BlockingTracer: Tracer {
    let blockade: Blockade
    let wrapped: InMemoryTracer

    func startSpan<Instant: TracerInstant>(
        _ operationName: String,
        context: @autoclosure () -> ServiceContext,
        ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant,
        function: String,
        file fileID: String,
        line: UInt
    ) -> InMemorySpan {
        blockade.pass()
        return wrapped.startSpan(
            operationName,
            context: context(),
            ofKind: kind,
            at: instant(),
            function: function,
            file: fileID,
            line: line
        )
    }

    func forceFlush() {}

    func inject<Carrier, Inject: Injector>(
        _ context: ServiceContext,
        into carrier: inout Carrier,
        using injector: Inject
    ) where Inject.Carrier == Carrier {}

    func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier,
        into context: inout ServiceContext,
        using extractor: Extract
    ) where Extract.Carrier == Carrier {}
}
#endif
