// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import NIOCore

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// What came of a transaction.
struct TransactionResult: Decodable, Sendable {
    struct Failure: Decodable, Hashable, Sendable {
        var operation: Int
        var text: String

        private enum CodingKeys: String, CodingKey {
            case operation = "OpIndex"
            case text = "What"
        }
    }

    private struct Wrapped: Decodable, Sendable {
        var entry: KVEntry?

        private enum CodingKeys: String, CodingKey { case entry = "KV" }
    }

    /// What was read, checked and written, in this order; what was written comes last for each key.
    var entries: [KVEntry]
    /// If there are any, nothing was changed.
    var failures: [Failure]

    private enum CodingKeys: String, CodingKey {
        case results = "Results"
        case errors = "Errors"
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        entries = try fields.decodeIfPresent([Wrapped].self, forKey: .results)?.compactMap(\.entry) ?? []
        failures = try fields.decodeIfPresent([Failure].self, forKey: .errors) ?? []
    }

    init(_ reply: ConsulReply) throws {
        self = try Self.decode(reply.body)
        guard reply.outcome != .missing, failures.isEmpty == (reply.outcome == .done) else { throw Self.notUnderstood }
    }

    static func decode<Value: Decodable>(_ body: ByteBuffer, as type: Value.Type = Value.self) throws -> Value {
        try decode(Data(body.readableBytesView), as: type)
    }

    static func decode<Value: Decodable>(_ body: Data, as type: Value.Type = Value.self) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: body)
        } catch {
            throw notUnderstood
        }
    }

    static var notUnderstood: ElectionError {
        ElectionError(
            .storeCorrupted,
            "an answer of Consul's cannot be understood; is something else in between, or the agent older than 1.8?"
        )
    }
}
#endif
