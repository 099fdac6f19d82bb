// SPDX-License-Identifier: MIT
#if Redis
import Foundation
import IntegrationSupport
import LeaderElection
import Synchronization
import Testing

@testable import LeaderElectionRedis

/// Waits for what must come, however slow the machine; says what it waited for if it does not.
func eventually<Value>(
    _ what: String,
    within limit: Duration = .seconds(60),
    _ body: () async throws -> Value?
) async throws -> Value {
    let deadline = ContinuousClock.now + limit
    var last: (any Error)?
    while ContinuousClock.now < deadline {
        do {
            if let value = try await body() { return value }
        } catch {
            last = error
        }
        try await Task.sleep(for: .milliseconds(10))
    }
    throw NeverCame(description: "\(what) did not come within \(limit); last error: \(last.map { "\($0)" } ?? "none")")
}

struct NeverCame: Error, CustomStringConvertible {
    var description: String
}

/// What a subscription told, in order.
final class Pushes: Sendable {
    private let all = Mutex<[RedisPush]>([])

    var receive: @Sendable (RedisPush) -> Void { { push in self.all.withLock { $0.append(push) } } }
    var received: [RedisPush] { all.withLock { $0 } }
    var messages: [String] {
        received.compactMap { if case .message(let bytes) = $0 { String(decoding: bytes, as: UTF8.self) } else { nil } }
    }
    var subscriptions: Int { received.count { $0 == .subscribed } }
    var interruptions: [ElectionError] {
        received.compactMap { if case .interrupted(let error) = $0 { error } else { nil } }
    }
}

extension RedisNode {
    func send(_ words: String..., timeout: Duration = .seconds(5)) async throws -> RedisValue {
        try await send([RedisCommand(words)], timeout: timeout)[0]
    }
}

/// One node by its URL, closed at the end.
func withNode<Result>(
    _ url: String,
    _ body: (any RedisNode, any RedisTopology) async throws -> Result
) async throws -> Result {
    let topology = try RedisTopologies.make(RedisURL(url).settings)
    defer { topology.close() }
    return try await body(try await topology.node(forKey: "key"), topology)
}

/// The error of a call that must fail.
func failure(_ body: () async throws -> some Any) async -> ElectionError? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? ElectionError ?? ElectionError(.stopped, "unexpected: \(error)")
    }
}

/// A field of what a server says of itself.
func field(_ name: String, _ info: String) -> Int? {
    info.split(whereSeparator: \.isNewline).first { $0.hasPrefix("\(name):") }
        .flatMap { Int($0.dropFirst(name.utf8.count + 1)) }
}
#endif
