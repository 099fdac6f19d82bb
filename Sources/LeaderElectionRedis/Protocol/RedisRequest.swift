// SPDX-License-Identifier: MIT
#if Redis
internal import CElectionHiredis
internal import LeaderElection
internal import NIOCore

/// Commands as they go over the wire, and how many answers they get.
struct RedisRequest: Sendable {
    /// More than any server would read: by default it refuses longer ones.
    static var maximumLength: Int { 64 << 20 }

    let bytes: ByteBuffer
    let answers: Int

    /// Throws ``ElectionError/Code/invalidConfiguration`` for commands that are too long to be meant.
    init(_ commands: [RedisCommand]) throws(ElectionError) {
        var bytes = ByteBuffer()
        for command in commands {
            let length = command.words.reduce(0) { $0 + $1.count }
            guard length <= Self.maximumLength, bytes.readableBytes <= Self.maximumLength else {
                throw ElectionError(
                    .invalidConfiguration,
                    "a request of more than \(Self.maximumLength) bytes is not sent to Redis; use shorter metadata"
                )
            }
            Self.append(command.words, length: length, to: &bytes)
        }
        self.bytes = bytes
        answers = commands.count
    }

    private static func append(_ words: [[UInt8]], length: Int, to bytes: inout ByteBuffer) {
        // One block for all words: as many pointers as words have to stay valid at once.
        let joined = [UInt8](unsafeUninitializedCapacity: length) { joined, count in
            for word in words {
                _ = joined[count...].update(fromContentsOf: word)
                count += word.count
            }
        }
        joined.withUnsafeBytes { joined in
            var lengths = words.map(\.count)
            var starts: [UnsafePointer<CChar>?] = []
            starts.reserveCapacity(words.count)
            var at = 0
            for word in words {
                starts.append(joined.baseAddress?.advanced(by: at).assumingMemoryBound(to: CChar.self))
                at += word.count
            }
            var formatted: UnsafeMutablePointer<CChar>?
            let count = redisFormatCommandArgv(&formatted, Int32(words.count), &starts, &lengths)
            guard count >= 0, let formatted else { fatalError("out of memory") }
            defer { redisFreeCommand(formatted) }
            bytes.writeBytes(UnsafeRawBufferPointer(start: formatted, count: Int(count)))
        }
    }
}
#endif
