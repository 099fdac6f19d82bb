// SPDX-License-Identifier: MIT
#if Redis
import NIOCore
import Testing

@testable import LeaderElectionRedis

@Suite("Redis: replies and requests")
struct CodecTests {
    /// What a reader makes of the pieces, one after the other.
    private func read(
        _ pieces: [some Collection<UInt8>],
        _ reader: RedisReplyReader = RedisReplyReader()
    ) throws(RedisReplyReader.Failure) -> [RedisValue] {
        var values: [RedisValue] = []
        for piece in pieces {
            let bytes = Array(piece)
            let result = bytes.withUnsafeBytes { bytes in
                Result { () throws(RedisReplyReader.Failure) in try reader.feed(bytes) }
            }
            try result.get()
            while let value = try reader.next() { values.append(value) }
        }
        return values
    }

    private let stream = Array(
        """
        +OK\r
        -NOSCRIPT No matching script\r
        :-9223372036854775808\r
        $0\r
        \r
        $-1\r
        *-1\r
        *0\r
        $6\r
        a\r
        b\r
        \r
        *3\r
        :1\r
        *2\r
        $2\r
        é\r
        *1\r
        $-1\r
        +deep\r
        :42\r

        """.utf8
    )
    private let values: [RedisValue] = [
        .status("OK"),
        .error(RedisServerError(prefix: "NOSCRIPT", message: "No matching script")),
        .integer(.min),
        .bulk([]),
        .null,
        .null,
        .array([]),
        .bulk(Array("a\r\nb\r\n".utf8)),
        .array([.integer(1), .array([.bulk(Array("é".utf8)), .array([.null])]), .status("deep")]),
        .integer(42),
    ]

    @Test("A stream of replies is read whole")
    func whole() throws {
        #expect(try read([stream]) == values)
    }

    @Test("A stream may be cut at each byte")
    func cutAnywhere() throws {
        for cut in 0...stream.count {
            #expect(try read([stream[..<cut], stream[cut...]]) == values, "cut at \(cut)")
        }
        #expect(try read(stream.map { CollectionOfOne($0) }) == values)
    }

    @Test(
        "What is not the protocol is refused, and stays refused",
        arguments: [
            "HTTP/1.1 400 Bad Request\r\n", "\u{15}\u{3}\u{3}", "$abc\r\n", "*2147483648\r\n", "$-5\r\n", ":1x\r\n",
        ]
    )
    func garbage(text: String) {
        let reader = RedisReplyReader()
        #expect(throws: RedisReplyReader.Failure.self) { try read([text.utf8], reader) }
        #expect(throws: RedisReplyReader.Failure.self) { try read(["+OK\r\n".utf8], reader) }
    }

    @Test("A reply that never ends is given up at the limit")
    func endless() throws {
        let reader = RedisReplyReader(limits: RedisReplyReader.Limits(bytes: 4096, elements: 10))
        let piece = [UInt8](repeating: 65, count: 1024)
        #expect(try read(["$1000000\r\n".utf8], reader) == [])
        for _ in 0..<3 { #expect(try read([piece], reader) == []) }
        #expect(throws: RedisReplyReader.Failure.oversized) { try read([piece], reader) }
    }

    @Test("The limit is one of each reply, not of the connection")
    func limitsAreForOneReply() throws {
        let reader = RedisReplyReader(limits: RedisReplyReader.Limits(bytes: 2048, elements: 4))
        let reply =
            Array("*4\r\n:1\r\n:2\r\n:3\r\n$1000\r\n".utf8) + [UInt8](repeating: 66, count: 1000) + Array("\r\n".utf8)
        for _ in 0..<100 { #expect(try read([reply[..<500], reply[500...]], reader).count == 1) }
        #expect(try read([reply + reply + reply[..<7]], reader).count == 2)
        #expect(try read([reply[7...]], reader).count == 1)
    }

    @Test("An array that claims too many elements costs no memory")
    func hugeArrays() {
        let reader = RedisReplyReader(limits: RedisReplyReader.Limits(bytes: 4096, elements: 100))
        #expect(throws: RedisReplyReader.Failure.oversized) { try read(["*101\r\n".utf8], reader) }
        let nested = RedisReplyReader(limits: RedisReplyReader.Limits(bytes: 4096, elements: 100))
        #expect(throws: RedisReplyReader.Failure.oversized) {
            try read(
                ["*2\r\n*60\r\n".utf8, String(repeating: ":1\r\n", count: 60).utf8, "*60\r\n".utf8].map(Array.init),
                nested
            )
        }
    }

    @Test("Arrays that are nested too deeply are refused")
    func tooDeep() {
        #expect(throws: RedisReplyReader.Failure.self) {
            try read([String(repeating: "*1\r\n", count: 100).utf8])
        }
    }

    @Test("Commands are written as arrays of bulks, empty and binary words included")
    func requests() throws {
        let request = try RedisRequest([
            RedisCommand("SET", "", "é\r\n"), RedisCommand(words: [[0], [255, 0]]), RedisCommand("PING"),
        ])
        #expect(request.answers == 3)
        let expected =
            Array("*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\né\r\n\r\n".utf8)
            + Array("*2\r\n$1\r\n".utf8) + [0] + Array("\r\n$2\r\n".utf8) + [255, 0] + Array("\r\n".utf8)
            + Array("*1\r\n$4\r\nPING\r\n".utf8)
        #expect(Array(request.bytes.readableBytesView) == expected)
    }

    @Test("A command that no server would read is refused here")
    func oversizedRequest() {
        let word = [UInt8](repeating: 0, count: RedisRequest.maximumLength + 1)
        #expect(throws: (any Error).self) { try RedisRequest([RedisCommand(words: [word])]) }
    }

    @Test(
        "Digests are those that the world agreed on",
        arguments: [
            ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
            ),
        ]
    )
    func digests(text: String, digest: String) {
        #expect(RedisScript(source: text).digest == digest)
    }

    @Test("The digest of a million bytes")
    func longDigest() {
        let million = String(repeating: "a", count: 1_000_000)
        let digest = RedisScript(source: million).digest
        #expect(digest == "34aa973cd4c4daa4f61eeb2bdbad27316534016f")
    }

    @Test(
        "Error lines are taken apart",
        arguments: [
            ("READONLY You can't write", "READONLY", "You can't write"),
            ("ERR unknown command 'X'", "ERR", "unknown command 'X'"),
            ("NOAUTH", "NOAUTH", ""),
            ("something odd", "ERR", "something odd"),
            ("", "ERR", ""),
            (
                "ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -READONLY You can't write.",
                "READONLY", "You can't write."
            ),
            (
                "ERR Error running script (call to f_1): @user_script:1: oops", "ERR",
                "Error running script (call to f_1): @user_script:1: oops"
            ),
            (
                "OOM command not allowed when used memory > 'maxmemory'. script: 985ab3f5, on @user_script:49.",
                "OOM", "command not allowed when used memory > 'maxmemory'."
            ),
            ("ERR no script: here, or there", "ERR", "no script: here, or there"),
        ]
    )
    func errorLines(line: String, prefix: String, message: String) {
        #expect(RedisServerError(line: line) == RedisServerError(prefix: prefix, message: message))
    }

    @Test("A script that the server forgot is sent along once, however often it is called; followers go again")
    func forgottenScripts() async throws {
        let script = RedisScript(source: "return 1")
        let other = RedisScript(source: "return 2")
        let calls = [script, other, script].map { RedisScriptCall($0, keys: ["k"], arguments: [[1]]) }
        let unknown = RedisValue.error(RedisServerError(prefix: "NOSCRIPT", message: ""))
        var sent: [[RedisCommand]] = []
        let run = RedisScriptRun(calls: calls, followers: [RedisCommand("WAIT", "1", "0")])
        let answers = try await run.perform { commands in
            sent.append(commands)
            return sent.count == 1
                ? [unknown, .integer(2), unknown, .integer(0)] : [.integer(1), .integer(11), .integer(7)]
        }
        #expect(answers == [.integer(1), .integer(2), .integer(11), .integer(7)])
        let verbs = sent.map { $0.map { String(decoding: $0.words[0], as: UTF8.self) } }
        #expect(verbs == [["EVALSHA", "EVALSHA", "EVALSHA", "WAIT"], ["EVAL", "EVALSHA", "WAIT"]])
    }
}
#endif
