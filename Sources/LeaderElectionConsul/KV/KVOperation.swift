// SPDX-License-Identifier: MIT
#if Consul
internal import NIOCore

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// One operation of a transaction.
enum KVOperation: Hashable, Sendable {
    /// Reads the key, and whatever begins like it; nothing is no failure.
    case read(String)
    /// Fails if the key is there.
    case checkMissing(String)
    /// Fails unless the key was last changed then.
    case checkIndex(String, UInt64)
    /// Fails unless the session holds the key.
    case checkSession(String, session: String)
    /// Fails if a session holds the key, or has lost it only now.
    case lock(String, session: String, value: [UInt8])
    /// Fails unless the session holds the key.
    case unlock(String, session: String, value: [UInt8])
    /// Fails unless the key was last changed then; 0 if it must not be there.
    case compareAndSet(String, UInt64, flags: UInt64, value: [UInt8])
    case set(String, flags: UInt64, value: [UInt8])
    /// Nothing to delete is no failure.
    case delete(String)
    /// Fails unless the key was last changed then.
    case compareAndDelete(String, UInt64)

    /// The body of a transaction.
    static func body(_ operations: some Sequence<KVOperation>) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeString("[")
        for (index, operation) in operations.enumerated() {
            if index > 0 { buffer.writeString(",") }
            operation.write(to: &buffer)
        }
        buffer.writeString("]")
        return buffer
    }

    private func write(to buffer: inout ByteBuffer) {
        switch self {
        case .read(let key): Self.begin("get-tree", key, &buffer)
        case .checkMissing(let key): Self.begin("check-not-exists", key, &buffer)
        case .checkIndex(let key, let index):
            Self.begin("check-index", key, &buffer)
            buffer.writeString(",\"Index\":\(index)")
        case .checkSession(let key, let session):
            Self.begin("check-session", key, &buffer)
            buffer.writeString(",\"Session\":\"\(session)\"")
        case .lock(let key, let session, let value):
            Self.begin("lock", key, &buffer)
            buffer.writeString(",\"Session\":\"\(session)\"")
            Self.write(value, KVEntry.lockFlags, &buffer)
        case .unlock(let key, let session, let value):
            Self.begin("unlock", key, &buffer)
            buffer.writeString(",\"Session\":\"\(session)\"")
            Self.write(value, KVEntry.lockFlags, &buffer)
        case .compareAndSet(let key, let index, let flags, let value):
            Self.begin("cas", key, &buffer)
            buffer.writeString(",\"Index\":\(index)")
            Self.write(value, flags, &buffer)
        case .set(let key, let flags, let value):
            Self.begin("set", key, &buffer)
            Self.write(value, flags, &buffer)
        case .delete(let key): Self.begin("delete", key, &buffer)
        case .compareAndDelete(let key, let index):
            Self.begin("delete-cas", key, &buffer)
            buffer.writeString(",\"Index\":\(index)")
        }
        buffer.writeString("}}")
    }

    private static func begin(_ verb: String, _ key: String, _ buffer: inout ByteBuffer) {
        buffer.writeString("{\"KV\":{\"Verb\":\"\(verb)\",\"Key\":")
        // Keys of ours are plain, those of a fence are the user's.
        if key.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }) {
            buffer.writeString("\"\(key)\"")
        } else {
            buffer.writeString((try? JSONEncoder().encode(key)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\"")
        }
    }

    private static func write(_ value: [UInt8], _ flags: UInt64, _ buffer: inout ByteBuffer) {
        buffer.writeString(",\"Flags\":\(flags),\"Value\":\"\(Data(value).base64EncodedString())\"")
    }
}
#endif
