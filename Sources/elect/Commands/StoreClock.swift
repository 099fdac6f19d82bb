// SPDX-License-Identifier: MIT

internal import LeaderElection

/// How a store's clock stands to this machine's, and whether both run at the same rate.
struct StoreClock {
    /// What the store's clock showed at some instant between two readings of ours, all in nanoseconds.
    struct Reading {
        var store: Int64
        /// On the clock that runs on during suspend, by which leases are counted here.
        var sent: Int64
        var received: Int64
        /// The wall clock of this machine when it was received.
        var wall: Int64

        var roundTrip: Int64 { received - sent }
    }

    /// The quickest of several readings at the beginning, and of several at the end.
    var first: Reading
    var last: Reading

    /// How far the store's wall clock is ahead of ours, and how far that may be wrong.
    var offset: (nanoseconds: Int64, error: Int64) {
        // Our wall clock is read coarsely.
        (last.store - (last.wall - last.roundTrip / 2), last.roundTrip / 2 + 4_000_000)
    }

    /// How much faster the store's clock runs than ours, as a share, and how far that may be wrong.
    var drift: (rate: Double, error: Double) {
        let local = Double(last.sent + last.roundTrip / 2 - first.sent - first.roundTrip / 2)
        guard local > 0 else { return (0, .infinity) }
        let error = Double(first.roundTrip + last.roundTrip) / 2 / local
        return (Double(last.store - first.store) / local - 1, error)
    }

    /// - Parameter bound: how far rates may differ; see `clock-drift-bound`.
    func findings(bound: Double) -> [StoreFinding] {
        let (rate, rateError) = drift
        let time = Duration.nanoseconds(last.received - first.sent).text()
        let runs =
            "over \(time) the store's clock ran \(Self.share(abs(rate))) \(rate < 0 ? "slower" : "faster") than this "
            + "machine's, give or take \(Self.share(rateError))"
        let ahead = offset.nanoseconds
        let stands =
            "the store's clock is \(Duration.nanoseconds(abs(ahead)).text()) "
            + (ahead < 0 ? "behind" : "ahead of") + " this machine's, give or take "
            + Duration.nanoseconds(offset.error).text()
        var findings: [StoreFinding] = []
        if abs(ahead) - offset.error > 1_000_000_000 {
            findings.append(
                .trouble(
                    "clock",
                    stands,
                    why: "leases are not touched, but terms begin at the store's clock, and logs cannot be compared",
                    remedy: "let both follow the same time servers, and slew the store's clock instead of setting it"
                )
            )
        } else {
            findings.append(.fine("clock", stands))
        }
        guard abs(rate) - rateError > bound else { return findings + [.fine("drift", runs)] }
        findings.append(
            .trouble(
                "drift",
                runs,
                why: "an election relies on rates within \(Self.share(bound)): beyond it, two may lead for a moment",
                remedy: "mend the clock that is wrong, or set clock-drift-bound to more than that on all candidates"
            )
        )
        return findings
    }

    private static func share(_ rate: Double) -> String { "\((rate * 1e6).rounded() / 1e4) %" }
}

extension StoreClock.Reading {
    /// The quickest of a few readings; nil if the store tells no time.
    static func best(of provider: any ExaminableProvider) async throws -> Self? {
        var best: Self?
        for _ in 0..<5 {
            let sent = ElectionInstant.now.nanoseconds
            guard let store = try await provider.storeClock() else { return nil }
            let received = ElectionInstant.now.nanoseconds
            let wall = SystemClock().wallNanoseconds
            let reading = Self(store: store, sent: sent, received: received, wall: wall)
            if reading.roundTrip < best?.roundTrip ?? .max { best = reading }
        }
        return best
    }
}
