// SPDX-License-Identifier: MIT

#if HTTP
import Foundation
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// An answer as it came over the wire.
struct Answer {
    let status: Int
    let head: String
    let body: String

    var json: Any { get throws { try JSONSerialization.jsonObject(with: Data(body.utf8)) } }
}

struct SocketFailure: Error {
    let call: String
    let code = errno
}

/// A plain client on a real socket: what is tested is not to be hidden by what a client library makes of it.
enum Fetching {
    static func get(_ path: String, at place: String, method: String = "GET") async throws -> Answer {
        try await withCheckedThrowingContinuation { continuation in
            // It blocks: on a queue it would keep the tasks of this process from their threads.
            Thread.detachNewThread {
                continuation.resume(with: Result { try exchange("\(method) \(path) HTTP/1.1", with: place) })
            }
        }
    }

    /// A socket of its own on the loopback, connected.
    static func open(to place: String) throws -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        let port = try #require(place.split(separator: ":").last.flatMap { UInt16($0) })
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        #if os(Linux)
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
        let descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else {
            let failure = SocketFailure(call: "connect")
            close(descriptor)
            throw failure
        }
        return descriptor
    }

    static func closeSocket(_ descriptor: Int32) { close(descriptor) }

    private static func exchange(_ request: String, with place: String) throws -> Answer {
        let descriptor = try open(to: place)
        defer { close(descriptor) }
        let bytes = Array("\(request)\r\nHost: \(place)\r\nConnection: close\r\n\r\n".utf8)
        guard write(descriptor, bytes, bytes.count) == bytes.count else { throw SocketFailure(call: "write") }
        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count >= 0 else { throw SocketFailure(call: "read") }
            if count == 0 { break }
            received += buffer[..<count]
        }
        let text = String(decoding: received, as: UTF8.self)
        let parts = text.components(separatedBy: "\r\n\r\n")
        let status = try #require(text.split(separator: " ").dropFirst().first.flatMap { Int($0) })
        return Answer(status: status, head: parts[0], body: parts.dropFirst().joined(separator: "\r\n\r\n"))
    }
}
#endif
