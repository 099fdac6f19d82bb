// SPDX-License-Identifier: MIT
#if Postgres
import LeaderElection
import Testing

@testable import LeaderElectionPostgres

@Suite struct ExaminationTests {
    private func troubles(
        failsOverAsynchronously: Bool = false,
        _ change: (inout PostgresStore.ServerState) -> Void
    ) -> [String] {
        var state = PostgresStore.ServerState(version: "15.3")
        change(&state)
        return PostgresStore.findings(state, failsOverAsynchronously: failsOverAsynchronously)
            .filter { !$0.isFine }.map(\.check)
    }

    @Test func aPrimaryThatForgetsNothingIsFine() {
        #expect(troubles { _ in } == [])
        // Elections see to that themselves.
        #expect(troubles { $0.synchronousCommit = "off" } == [])
        #expect(troubles { ($0.standbys, $0.synchronousStandbys) = (2, "ANY 1 (a, b)") } == [])
    }

    @Test func whatAServerMayForgetOrRefuseIsFound() {
        #expect(troubles { $0.isInRecovery = true } == ["recovery"])
        #expect(troubles { $0.fsync = "off" } == ["durability"])
        #expect(troubles { $0.fullPageWrites = "off" } == ["durability"])
        #expect(troubles { $0.standbys = 1 } == ["standbys"])
        #expect(troubles { $0.connectionsLeft = 2 } == ["room"])
    }

    @Test func aFailOverThatIsReckonedWithIsFine() {
        #expect(troubles(failsOverAsynchronously: true) { $0.standbys = 1 } == [])
    }
}
#endif
