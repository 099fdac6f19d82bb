// SPDX-License-Identifier: MIT
#if Consul
import Foundation
import IntegrationSupport
import LeaderElection
import Testing

@testable import LeaderElectionConsul

/// Elections together with programs that know nothing of ours.
@Suite(.needs(.consul), .serialized, .timeLimit(.minutes(1)))
struct InteroperationTests {
    private let agent = Agent(.consul)

    /// What the recipe of Consul's API marks its keys with.
    private static let flags: UInt64 = 0x2ddc_cbc0_58a5_0c18

    private func takes(_ group: String, _ session: String) async throws -> Bool {
        let path = "kv/\(try agent.key(group))?acquire=\(session)&flags=\(Self.flags)"
        return try await agent.call("PUT", path, "their value").body.hasPrefix("true")
    }

    private func gives(_ group: String, _ session: String) async throws -> Bool {
        let path = "kv/\(try agent.key(group))?release=\(session)&flags=\(Self.flags)"
        return try await agent.call("PUT", path).body.hasPrefix("true")
    }

    @Test
    func theLockOfTheAPITakesTurnsWithUs() async throws {
        let provider = try agent.provider()
        let hints = Hints(provider)
        let asker = try Asker(provider, "group", "ours")
        let term = try await asker.termSoon()
        let session = try await agent.session()
        #expect(try await agent.entry("group")?.flags == Self.flags, "or the recipe would refuse the key")
        #expect(try await takes("group", session) == false)
        _ = try await asker.release(term)
        #expect(try await agent.entry("group")?.flags == Self.flags)
        #expect(try await takes("group", session))
        guard case .held(let record) = try await asker.ask() else { throw NotInTime(what: "the refusal") }
        #expect(record.holder.id == "their value" && record.term > term && !record.isObserverTimed)
        guard case .lost = try await asker.renew(term) else { throw NotInTime(what: "the loss") }
        guard case .notHeld = try await asker.release(term) else { throw NotInTime(what: "the refusal") }
        hints.forget()
        #expect(try await gives("group", session))
        try await soon("the hint") { hints.all.contains(.freed(asker.request.group, listeners: 1)) }
        #expect(try await asker.termSoon() > record.term)
        #expect(try await takes("group", session) == false)
    }

    @Test
    func theLockOfTheAPIRefusesAKeyWhoseLeaseItCannotSee() async throws {
        let asker = try Asker(try agent.provider(.cas), "group", "ours")
        let term = try await asker.termSoon()
        // The recipe looks at the flags first, and reports a conflict.
        #expect(try await agent.entry("group")?.flags == KVEntry.observedFlags)
        _ = try await asker.release(term)
        #expect(try await agent.entry("group")?.flags == Self.flags)
    }

    @Test(.needsOwn(.consul))
    func consulLockTakesTurnsWithUs() async throws {
        let provider = try agent.provider()
        let hints = Hints(provider)
        let asker = try Asker(provider, "group", "ours")
        let group = asker.request.group
        let first = try ConsulLock(agent, "group")
        defer { first.stop() }
        try await soon("its turn") { first.isRunning }
        guard case .held(let record) = try await asker.ask() else { throw NotInTime(what: "the refusal") }
        #expect(record.holder.id.hasPrefix("session "))
        hints.forget()
        first.stop()
        try await soon("the hint") { hints.all.contains { $0.group == group } }
        let term = try await asker.termSoon()
        #expect(term > record.term)
        let second = try ConsulLock(agent, "group")
        defer { second.stop() }
        guard case .renewed = try await asker.renew(term) else { throw NotInTime(what: "the renewal") }
        #expect(!second.isRunning)
        _ = try await asker.release(term)
        try await soon("its turn") { second.isRunning }
        #expect(try await asker.term() == nil)
    }
}

/// `consul lock prefix/group command` as somebody would run it.
final class ConsulLock: Sendable {
    private let process: Process
    private let mark: URL

    init(_ agent: Agent, _ group: String) throws {
        mark = FileManager.default.temporaryDirectory.appending(path: "consul-lock-\(UUID().uuidString)")
        process = Process()
        let home = ProcessInfo.processInfo.environment["ELECTION_SERVERS_DIR"].map { URL(filePath: $0) }
        let unpacked = (home ?? Repository.root.appending(path: ".build/servers"))
            .appending(path: "packages/consul/usr/bin/consul")
        let place = NetworkAddress.all(in: agent.url)[0]
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            FileManager.default.isExecutableFile(atPath: unpacked.path) ? unpacked.path : "consul", "lock",
            "-http-addr=\(place.host):\(place.port)", "-child-exit-code", agent.prefix + group,
            "touch \(mark.path); exec sleep 60",
        ]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    /// Whether its command has begun.
    var isRunning: Bool { FileManager.default.fileExists(atPath: mark.path) }

    func stop() {
        if process.isRunning { process.terminate() }
        try? FileManager.default.removeItem(at: mark)
    }
}
#endif
