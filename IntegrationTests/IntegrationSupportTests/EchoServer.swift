// SPDX-License-Identifier: MIT

import Foundation
import Glibc
import Synchronization

struct SocketFailure: Error {}

private func loopback(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
}

/// Answers what it reads in capitals; blocking, with a thread for each connection.
final class EchoServer: Sendable {
    private struct State {
        var open = 0
        var received = ""
    }
    private final class Shared: Sendable {
        let state = Mutex(State())
    }

    let port: UInt16
    private let listener: Int32
    private let shared = Shared()

    init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                Glibc.bind(listener, raw, size) == 0 && listen(listener, 16) == 0
                    && getsockname(listener, raw, &size) == 0
            }
        }
        guard bound else { throw SocketFailure() }
        port = UInt16(bigEndian: address.sin_port)
        self.listener = listener
        let shared = shared
        Thread.detachNewThread {
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { return }
                shared.state.withLock { $0.open += 1 }
                Thread.detachNewThread { Self.serve(client, shared) }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    var openConnections: Int { shared.state.withLock { $0.open } }
    var received: String { shared.state.withLock { $0.received } }

    private static func serve(_ client: Int32, _ shared: Shared) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(client, &buffer, buffer.count)
            guard count > 0 else { break }
            let text = String(decoding: buffer.prefix(count), as: UTF8.self)
            shared.state.withLock { $0.received += text }
            let answer = Array(text.uppercased().utf8)
            guard send(client, answer, answer.count, Int32(MSG_NOSIGNAL)) == answer.count else { break }
        }
        close(client)
        shared.state.withLock { $0.open -= 1 }
    }
}

/// A blocking connection.
final class TestClient {
    private var descriptor: Int32

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(port)
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw SocketFailure() }
    }

    deinit { close() }

    func close() {
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        descriptor = -1
    }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// So many bytes, or what there was when the time or the connection ended; nil if it ended with nothing.
    func receive(_ count: Int, within milliseconds: Int32 = 10_000) -> String? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            var readiness = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&readiness, 1, milliseconds) == 1 else { break }
            var buffer = [UInt8](repeating: 0, count: count - bytes.count)
            let got = read(descriptor, &buffer, buffer.count)
            guard got > 0 else {
                if bytes.isEmpty { return nil }
                break
            }
            bytes += buffer.prefix(got)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
