// SPDX-License-Identifier: MIT
#if Redis
internal import CElectionHiredis

/// Takes replies out of a stream of bytes; hiredis does the parsing.
///
/// After an error the stream cannot be understood any more: close the connection.
final class RedisReplyReader {
    /// Why a stream cannot be understood.
    enum Failure: Error, Hashable {
        /// The bytes are not the protocol.
        case garbage(String)
        /// A reply is larger than anything that was asked for.
        case oversized
    }

    struct Limits {
        /// The longest reply in bytes.
        var bytes = 64 << 20
        /// The elements of all arrays of one reply.
        var elements = 1 << 20
    }

    private let reader: UnsafeMutablePointer<redisReader>
    private let limits: Limits
    /// Bytes since the last whole reply.
    private var unanswered = 0
    private var failure: Failure?

    init(limits: Limits = Limits()) {
        guard let reader = election_redis_reader_create() else { fatalError("out of memory") }
        self.reader = reader
        self.limits = limits
        election_redis_reader_allow(reader, limits.elements)
    }

    deinit { election_redis_reader_free(reader) }

    func feed(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        if let failure { throw failure }
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        unanswered += bytes.count
        guard redisReaderFeed(reader, start.assumingMemoryBound(to: CChar.self), bytes.count) == REDIS_OK else {
            throw fail()
        }
    }

    /// The next whole reply, if there is one.
    func next() throws(Failure) -> RedisValue? {
        if let failure { throw failure }
        var reply: UnsafeMutableRawPointer?
        guard redisReaderGetReply(reader, &reply) == REDIS_OK else { throw fail() }
        guard let reply else {
            guard unanswered <= limits.bytes else {
                failure = .oversized
                throw .oversized
            }
            return nil
        }
        defer { freeReplyObject(reply) }
        unanswered = reader.pointee.len - reader.pointee.pos
        election_redis_reader_allow(reader, limits.elements)
        guard let value = Self.value(reply.assumingMemoryBound(to: redisReply.self)) else {
            let failure = Failure.garbage("a kind of reply that was not agreed on")
            self.failure = failure
            throw failure
        }
        return value
    }

    private func fail() -> Failure {
        let failure: Failure =
            election_redis_reader_was_exceeded(reader) != 0
            ? .oversized : .garbage(String(cString: election_redis_reader_error(reader)))
        self.failure = failure
        return failure
    }

    private static func value(_ reply: UnsafeMutablePointer<redisReply>) -> RedisValue? {
        switch reply.pointee.type {
        case REDIS_REPLY_STATUS: return .status(String(decoding: bytes(reply), as: UTF8.self))
        case REDIS_REPLY_ERROR: return .error(RedisServerError(line: String(decoding: bytes(reply), as: UTF8.self)))
        case REDIS_REPLY_INTEGER: return .integer(reply.pointee.integer)
        case REDIS_REPLY_STRING: return .bulk(Array(bytes(reply)))
        case REDIS_REPLY_NIL: return .null
        case REDIS_REPLY_ARRAY:
            var values: [RedisValue] = []
            values.reserveCapacity(Int(reply.pointee.elements))
            for index in 0..<Int(reply.pointee.elements) {
                guard let element = reply.pointee.element[index], let value = value(element) else { return nil }
                values.append(value)
            }
            return .array(values)
        default: return nil
        }
    }

    private static func bytes(_ reply: UnsafeMutablePointer<redisReply>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: reply.pointee.str, count: Int(reply.pointee.len))
    }
}
#endif
