// SPDX-License-Identifier: MIT
#if ZooKeeper
import LeaderElection
import Testing

@testable import LeaderElectionZooKeeper

/// Instants are milliseconds; the tick is 2 s and the session 10 s.
@Suite
struct HeartbeatLedgerTests {
    private func at(_ milliseconds: Int64) -> ElectionInstant { ElectionInstant(nanoseconds: milliseconds * 1_000_000) }

    private func ledger() -> HeartbeatLedger {
        HeartbeatLedger(born: at(0), timeout: .seconds(10), tick: .seconds(2))
    }

    @Test
    func theCreationOfTheSessionIsAProof() {
        #expect(ledger().proven == at(0))
        #expect(ledger().leaseDuration(requested: at(0)) == .seconds(10))
    }

    @Test
    func oneWriteProvesNothing() {
        var ledger = ledger()
        ledger.acknowledged(sent: at(9000), received: at(9010))
        #expect(ledger.proven == at(0))
    }

    @Test
    func aWriteProvesTheOneThatIsATickOlder() {
        var ledger = ledger()
        ledger.acknowledged(sent: at(1000), received: at(1010))
        ledger.acknowledged(sent: at(2999), received: at(3009))
        #expect(ledger.proven == at(0), "the two are less than a tick apart")
        ledger.acknowledged(sent: at(3000), received: at(3010))
        #expect(ledger.proven == at(1000))
        ledger.acknowledged(sent: at(4998), received: at(5000))
        #expect(ledger.proven == at(1000))
        ledger.acknowledged(sent: at(5500), received: at(5501))
        #expect(ledger.proven == at(3000), "the newest that is a tick older counts")
    }

    @Test
    func slowAnswersProveNothingAndAreNotProven() {
        var ledger = ledger()
        ledger.acknowledged(sent: at(1000), received: at(2001))
        ledger.acknowledged(sent: at(4000), received: at(4010))
        #expect(ledger.proven == at(0), "what was sent at 1000 was answered after more than half a tick")
        ledger.acknowledged(sent: at(6500), received: at(7501))
        #expect(ledger.proven == at(0), "the proof itself came too late")
        ledger.acknowledged(sent: at(7000), received: at(8000))
        #expect(ledger.proven == at(4000), "half a tick is still in time")
    }

    @Test
    func theProofNeverGoesBack() {
        var ledger = ledger()
        for sent in stride(from: Int64(1000), through: 20_000, by: 500) {
            let before = ledger.proven
            ledger.acknowledged(sent: at(sent), received: at(sent + 5))
            #expect(ledger.proven >= before)
            #expect(ledger.proven <= at(max(0, sent - 2000)))
        }
        #expect(ledger.proven == at(18_000))
        ledger.acknowledged(sent: at(3000), received: at(3001))
        #expect(ledger.proven == at(18_000), "an answer out of order changes nothing")
    }

    @Test
    func aPausedClientHasNothingButItsOldProof() {
        // SAFETY 3.4, scenario 17: paused until 0.9 T, one write, and then the server that served it is lost.
        var ledger = ledger()
        ledger.acknowledged(sent: at(9000), received: at(9001))
        #expect(ledger.proven == at(0))
        #expect(ledger.leaseDuration(requested: at(9000)) < .zero)
    }

    /// Whatever was acknowledged: the deadline that an engine reckons is never later than that of the proof.
    @Test(arguments: [0.0, 0.001, 0.01, 0.05], [3, 6, 10, 30] as [Int64])
    func theDeadlineIsNeverLaterThanTheProofAllows(drift: Double, seconds: Int64) throws {
        var configuration = ElectionConfiguration()
        configuration.leaseDuration = .seconds(seconds)
        configuration.clockDriftBound = drift
        let timing = try LeaseTiming(configuration)
        let whole = Duration.seconds(seconds)
        for age in stride(from: Int64(0), through: seconds * 1000, by: 37) {
            let ledger = HeartbeatLedger(born: at(0), timeout: whole, tick: whole / 5)
            let lease = ledger.leaseDuration(requested: at(age))
            let deadline = at(age) + timing.validity(ofLease: lease)
            #expect(deadline <= at(0) + timing.validity(ofLease: whole), "asked \(age) ms after the proof")
            #expect(lease <= whole)
        }
    }

    /// The model of SAFETY 2.6: signs of life reach the ensemble's leader up to half a tick after they were served, and
    /// the server that keeps them may be lost at any instant after it answered.
    @Test
    func noScheduleOfWritesAndLossesLetsALeaseOutliveItsSession() {
        var random = SplitMix(state: 1)
        for _ in 0..<2000 {
            var ledger = ledger()
            var touched: Int64 = 0
            var now: Int64 = 0
            var pending: Int64?
            // The server reports to the leader every half tick, at a phase that is its own.
            var nextReport = Int64.random(in: 0...1000, using: &random)
            for _ in 0..<12 {
                let sent = now + Int64.random(in: 1...6000, using: &random)
                let roundTrip = Int64.random(in: 1...1500, using: &random)
                // The report carries what was served before it, and travels ahead of writes that are forwarded later.
                while nextReport <= sent {
                    if let sign = pending, sign <= nextReport { touched = max(touched, sign) }
                    nextReport += 1000
                }
                pending = sent
                if sent - touched > 10_000 { break }  // the session has ended: the write is refused
                ledger.acknowledged(sent: at(sent), received: at(sent + roundTrip))
                // Lost right now: the leader reckons from the last sign of life that reached it.
                #expect(ledger.proven <= at(touched), "sent \(sent), touched \(touched)")
                now = sent + roundTrip
            }
        }
    }

    private struct SplitMix: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }
}
#endif
