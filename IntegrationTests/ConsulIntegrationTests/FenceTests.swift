// SPDX-License-Identifier: MIT
#if Consul
import Foundation
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionConsul

@Suite(.needs(.consul), .serialized, .timeLimit(.minutes(1)))
struct FenceTests {
    private let agent = Agent(.consul)

    @Test
    func aLeaderThatWasPausedWritesNothing() async throws {
        let first = try Asker(try agent.provider(lockDelay: .zero), "group", "first", lease: .seconds(2))
        let term = try await first.termSoon()
        let fence = try #require(first.provider.fence(of: first.request.group, term: term))
        #expect(first.provider.fence(of: first.request.group, term: term + 1) == nil)
        #expect(try await write("first", fence) == 200)

        // It asked whether it leads, was told that it does, and was then paused for longer than its session.
        let second = try Asker(try agent.provider(), "group", "second", lease: .seconds(2))
        let secondTerm = try await second.termSoon()
        let secondFence = try #require(second.provider.fence(of: second.request.group, term: secondTerm))
        #expect(try await write("second", secondFence) == 200)
        #expect(try await write("too late", fence) == 409)
        #expect(try await agent.call("GET", "kv/\(agent.prefix)data?raw").body == "second")
    }

    @Test
    func aLaterTermOfTheSameSessionIsAnotherTerm() async throws {
        var asker = try Asker(try agent.provider())
        let term = try await asker.termSoon()
        let fence = try #require(asker.provider.fence(of: asker.request.group, term: term))
        _ = try await asker.release(term)
        #expect(try await write("after the release", fence) == 409)
        asker.request.nonce = Nonce()
        let next = try await asker.termSoon()
        #expect(try await write("in the next term", fence) == 409)
        let nextFence = try #require(asker.provider.fence(of: asker.request.group, term: next))
        #expect(try await write("rightly", nextFence) == 200)
    }

    @Test
    func aLeaseWithoutASessionHasNone() async throws {
        let asker = try Asker(try agent.provider(.cas))
        let term = try await asker.termSoon()
        #expect(asker.provider.fence(of: asker.request.group, term: term) == nil)
    }

    /// What a user's own client does.
    private func write(_ text: String, _ fence: ConsulFence) async throws -> Int {
        let value = Data(text.utf8).base64EncodedString()
        let set = #"{"KV":{"Verb":"set","Key":"\#(agent.prefix)data","Value":"\#(value)"}}"#
        return try await agent.call("PUT", "txn", "[\(fence.operations),\(set)]").status
    }
}
#endif
