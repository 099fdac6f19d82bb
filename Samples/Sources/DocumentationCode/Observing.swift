// SPDX-License-Identifier: MIT

internal import LeaderElection
internal import LeaderElectionHTTP
internal import LeaderElectionObservability
internal import Logging
internal import Metrics
internal import ServiceLifecycle
internal import Tracing
internal import UnixSignals

func observe(_ election: ElectionService, _ factory: any MetricsFactory, _ tracer: any Tracer) throws {
    MetricsSystem.bootstrap(factory)
    InstrumentationSystem.bootstrap(tracer)
    _ = try ElectionObserver([election])
}

func observe(_ elections: [ElectionService], _ factory: any MetricsFactory, _ tracer: any Tracer) throws {
    let observer = try ElectionObserver(
        elections,
        metrics: factory,
        tracer: tracer,
        labelledGroups: ["billing", "reports"]
    )
    _ = observer
}

func serveStatus(of election: ElectionService, logger: Logger) async throws {
    let status = try ElectionStatusServer([election], on: "127.0.0.1:8086")
    let group = ServiceGroup(
        services: [status, election],
        gracefulShutdownSignals: [.sigterm],
        logger: logger
    )
    try await group.run()
}

func lookAtHealth(of election: ElectionService) {
    let health = election.health
    if health.status == .failed { report("\(health)") }
}

func record(_ election: ElectionService) {
    let recorder = ElectionRecorder(keeping: 100)
    recorder.watch(election)
    for term in recorder.terms { report("\(term)") }
}
