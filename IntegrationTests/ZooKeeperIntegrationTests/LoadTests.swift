// SPDX-License-Identifier: MIT
#if ZooKeeper
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionZooKeeper

/// Many groups and many candidates, on servers of their own so that nobody else is slowed down.
@Suite(.needsOwn(.zookeeper), .serialized, .timeLimit(.minutes(3)))
struct LoadTests {
    @Test
    func aThousandCandidatesAndOneIsWoken() async throws {
        try await PrivateServer.with(.zookeeper) { server in
            let ensemble = Ensemble(url: server.url)
            // Ten sessions, as ten machines have them, ten candidates of one after ten of another in the queue.
            let providers = try (0..<10).map { _ in try ensemble.provider() }
            let hints = providers.map { Hints($0) }
            let askers = try (0..<1000).map { index in
                try Asker(providers[index / 10 % 10], "group", "candidate \(index)", lease: .seconds(40))
            }
            for start in stride(from: 0, to: 1000, by: 10) {
                _ = try await askers[start].provider.acquire(askers[start..<start + 10].map(\.request))
            }
            func sent() async -> Int {
                var sum = 0
                for provider in providers { sum += await provider.store.sentCount }
                return sum
            }
            for index in 0..<20 {
                let term = try await askers[index].termSoon()
                for hint in hints { hint.forget() }
                let before = await sent()
                _ = try await askers[index].release(term)
                let next = askers[index + 1]
                // All that wait in the session ask at once, as their engine has them do.
                try await soon("the hint") { hints[(index + 1) / 10].all.contains { $0.group == next.request.group } }
                let waiting = askers.indices.filter { $0 > index && $0 / 10 % 10 == (index + 1) / 10 % 10 }
                _ = try await next.provider.acquire(waiting.map { askers[$0].request })
                #expect(await sent() - before <= 20, "of which most are heartbeats")
                try await next.termSoon()
                // The session of the one that left has others that wait, and tells them; all other sessions sleep.
                let woken = hints.indices.filter { !hints[$0].all.isEmpty }
                #expect(Set(woken).isSubset(of: [index / 10, (index + 1) / 10]), "woken were \(woken)")
                #expect(woken.contains((index + 1) / 10))
            }
        }
    }

    @Test
    func tenThousandGroupsOnOneSession() async throws {
        try await PrivateServer.with(.zookeeper) { server in
            let ensemble = Ensemble(url: server.url)
            let provider = try ensemble.provider()
            let requests = try (0..<10_000).map { index in
                try Asker(provider, "group \(index)", lease: .seconds(30), timeout: .seconds(30)).request
            }
            var renewals: [RenewRequest] = []
            for start in stride(from: 0, to: requests.count, by: 2500) {
                let batch = Array(requests[start..<start + 2500])
                for (request, answer) in zip(batch, try await provider.acquire(batch)) {
                    guard case .granted(let term, _) = answer else { throw NotInTime(what: "a grant: \(answer)") }
                    renewals.append(
                        RenewRequest(
                            group: request.group,
                            nonce: request.nonce,
                            term: term,
                            leaseDuration: .seconds(30),
                            timeout: .seconds(10)
                        )
                    )
                }
            }
            try await soon("the end of all that was to be watched") { await provider.store.outstanding == 0 }
            let before = await provider.store.sentCount
            for answer in try await provider.renew(renewals) {
                guard case .renewed = answer else { throw NotInTime(what: "a renewal: \(answer)") }
            }
            let sent = await provider.store.sentCount - before
            #expect(sent <= 3, "\(sent) requests were sent to renew all groups")
        }
    }

    @Test
    func tenThousandNotesThatAreRepeatedCostNoWriteAndFewWatches() async throws {
        try await PrivateServer.with(.zookeeper) { server in
            let provider = try Ensemble(url: server.url).provider()
            let hints = Hints(provider)
            let text = String(repeating: "x", count: 400)
            let requests = try (0..<10_000).map { index in
                NoteRequest(
                    group: try ElectionGroup("group \(index)"),
                    key: "c-\(Nonce())",
                    text: text,
                    lifetime: .seconds(600),
                    isNews: false,
                    timeout: .seconds(60)
                )
            }
            func write() async throws {
                for start in stride(from: 0, to: requests.count, by: 1000) {
                    for answer in try await provider.write(Array(requests[start..<start + 1000])) {
                        guard case .done = answer else { throw NotInTime(what: "a note: \(answer)") }
                    }
                }
            }
            func read() async throws {
                for start in stride(from: 0, to: requests.count, by: 200) {
                    for answer in try await provider.notes(of: requests[start..<start + 200].map(\.group)) {
                        guard case .found(let notes) = answer, notes.count == 1 else {
                            throw NotInTime(what: "the notes: \(answer)")
                        }
                    }
                }
            }
            try await write()
            try await read()
            try await soon("the watches") { await provider.store.outstanding == 0 }
            #expect(await provider.store.newsWatches.count == NewsSlot.count)
            hints.forget()
            let before = await provider.store.sentCount
            try await write()
            try await read()
            // And one for each of fifty readings, which asks whether most of the groups have no notes.
            #expect(await provider.store.sentCount - before == 20_050)
            #expect(hints.all.isEmpty)
        }
    }
}
#endif
