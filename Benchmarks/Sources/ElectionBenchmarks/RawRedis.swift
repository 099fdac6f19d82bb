// SPDX-License-Identifier: MIT

internal import Foundation
internal import LeaderElection

/// A socket that sends the commands that the server saw during one acquisition and release, and reads the answers.
final class RawRedis: RawClient {
    let name = "a plain socket"
    private let socket: Int32
    private let acquire: [[String]]
    private let release: [[String]]

    init(url: String, _ pair: () async throws -> Void) async throws {
        let port = UInt16(url.split(separator: ":").last?.prefix { $0.isNumber } ?? "") ?? 6379
        socket = try Self.connect(port)
        let monitor = try Self.connect(port)
        defer { close(monitor) }
        _ = try Self.ask(monitor, ["MONITOR"])
        try await pair()
        _ = try Self.ask(socket, ["ECHO", "end-of-pair"])
        var seen = ""
        while !seen.contains("end-of-pair") { seen += try Self.read(monitor) }
        let commands = seen.split(separator: "\r\n").compactMap(Self.command)
            .filter { $0.first?.uppercased().hasPrefix("EVAL") == true }
        guard commands.count == 2 else {
            throw Usage(description: "an acquisition and a release took \(commands.count) commands instead of two")
        }
        acquire = [commands[0]]
        release = [commands[1]]
    }

    deinit { close(socket) }

    func pairs(_ count: Int) throws -> [Double] {
        let clock = SystemClock()
        // A term has thirteen digits: milliseconds since 1970, and more.
        func term(in text: String) -> Substring? {
            text.split { !$0.isNumber }.first { $0.count == 13 }
        }
        return try (0..<count).map { _ in
            let start = clock.now
            let answer = try Self.ask(socket, acquire[0])
            guard let new = term(in: answer) else { throw Usage(description: "no term in \(answer)") }
            let isTerm = { (text: String) in text.count == 13 && text.allSatisfy(\.isNumber) }
            _ = try Self.ask(socket, release[0].map { isTerm($0) ? String(new) : $0 })
            return start.duration(to: clock.now).nanoseconds / 1000
        }
    }

    /// `1700000000.000000 [0 127.0.0.1:1] "EVALSHA" "…"`, quoted as in C.
    private static func command(_ line: Substring) -> [String]? {
        guard !line.contains(" lua] "), let start = line.firstIndex(of: "\"") else { return nil }
        var words: [String] = []
        var bytes: [UInt8]?
        var rest = line[start...].utf8[...]
        while let byte = rest.popFirst() {
            switch (byte, bytes) {
            case (UInt8(ascii: "\""), nil): bytes = []
            case (UInt8(ascii: "\""), let word?):
                words.append(String(decoding: word, as: UTF8.self))
                bytes = nil
            case (UInt8(ascii: "\\"), _?):
                guard let escaped = rest.popFirst() else { return nil }
                switch escaped {
                case UInt8(ascii: "n"): bytes?.append(10)
                case UInt8(ascii: "r"): bytes?.append(13)
                case UInt8(ascii: "t"): bytes?.append(9)
                case UInt8(ascii: "x"):
                    guard let value = UInt8(String(rest.prefix(2)) ?? "", radix: 16) else { return nil }
                    bytes?.append(value)
                    rest = rest.dropFirst(2)
                default: bytes?.append(escaped)
                }
            case (_, _?): bytes?.append(byte)
            case (_, nil): break
            }
        }
        return words
    }

    private static func connect(_ port: UInt16) throws -> Int32 {
        let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Usage(description: "cannot connect to port \(port)") }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        return descriptor
    }

    /// The answer as it came; all of these fit into one read.
    private static func ask(_ descriptor: Int32, _ words: [String]) throws -> String {
        var message = "*\(words.count)\r\n"
        for word in words { message += "$\(word.utf8.count)\r\n\(word)\r\n" }
        let bytes = Array(message.utf8)
        guard write(descriptor, bytes, bytes.count) == bytes.count else { throw Usage(description: "cannot write") }
        let answer = try read(descriptor)
        guard !answer.hasPrefix("-") else { throw Usage(description: "the server says \(answer)") }
        return answer
    }

    private static func read(_ descriptor: Int32) throws -> String {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        guard count > 0 else { throw Usage(description: "the server is gone") }
        return String(decoding: buffer.prefix(count), as: UTF8.self)
    }
}
