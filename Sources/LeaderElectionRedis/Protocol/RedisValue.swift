// SPDX-License-Identifier: MIT
#if Redis

/// One reply of a server.
enum RedisValue: Sendable, Hashable {
    case status(String)
    case error(RedisServerError)
    case integer(Int64)
    case bulk([UInt8])
    case array([RedisValue])
    case null
}

extension RedisValue {
    /// The text of a status or a bulk.
    var text: String? {
        switch self {
        case .status(let text): text
        case .bulk(let bytes): String(decoding: bytes, as: UTF8.self)
        default: nil
        }
    }

    /// An integer, or a bulk that holds one.
    var integer: Int64? {
        switch self {
        case .integer(let value): value
        case .bulk(let bytes): Int64(String(decoding: bytes, as: UTF8.self))
        default: nil
        }
    }

    var array: [RedisValue]? {
        if case .array(let values) = self { values } else { nil }
    }

    var error: RedisServerError? {
        if case .error(let error) = self { error } else { nil }
    }
}
#endif
