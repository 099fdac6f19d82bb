// SPDX-License-Identifier: MIT

internal import Foundation

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// A host and a port, as they stand in the URL of a store.
package struct NetworkAddress: Sendable, Equatable {
    package var host: String
    package var port: UInt16

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// All of `scheme://user:password@host:port,host:port/path`.
    package static func all(in url: String) -> [NetworkAddress] {
        guard let start = url.range(of: "://")?.upperBound else { return [] }
        let authority = url[start...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let hosts = authority.split(separator: "@").last ?? ""
        return hosts.split(separator: ",").compactMap { text in
            guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
                return nil
            }
            return NetworkAddress(host: String(text[..<colon]), port: port)
        }
    }

    /// Whether a connection is accepted within five seconds: a first packet that is lost is sent again after one.
    package func answers() -> Bool {
        let descriptor = SocketCalls.make()
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        if SocketCalls.connect(descriptor, to: self) == 0 { return true }
        guard errno == EINPROGRESS else { return false }
        var readiness = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&readiness, 1, 5000) == 1 else { return false }
        return SocketCalls.pendingError(descriptor) == 0
    }
}

/// The few calls that a test's sockets need; all of them are IPv4, and none waits for the other end.
enum SocketCalls {
    static func make() -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return -1 }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        setUp(descriptor)
        return descriptor
    }

    /// Non-blocking, and small messages go out at once.
    static func setUp(_ descriptor: Int32) {
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func with<Result>(
        _ address: NetworkAddress,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var value = sockaddr_in()
        value.sin_family = sa_family_t(AF_INET)
        value.sin_port = address.port.bigEndian
        if inet_pton(AF_INET, address.host, &value.sin_addr) != 1 {
            var hints = addrinfo()
            hints.ai_family = AF_INET
            var found: UnsafeMutablePointer<addrinfo>?
            if getaddrinfo(address.host, nil, &hints, &found) == 0, let first = found?.pointee.ai_addr {
                first.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { value.sin_addr = $0.pointee.sin_addr }
            }
            if found != nil { freeaddrinfo(found) }
        }
        return withUnsafePointer(to: &value) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    static func connect(_ descriptor: Int32, to address: NetworkAddress) -> Int32 {
        with(address) { systemConnect(descriptor, $0, $1) }
    }

    static func bind(_ descriptor: Int32, to address: NetworkAddress) -> Int32 {
        with(address) { systemBind(descriptor, $0, $1) }
    }

    /// The port that the system has chosen.
    static func port(of descriptor: Int32) -> UInt16 {
        var value = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &value) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(descriptor, $0, &size) }
        }
        return UInt16(bigEndian: value.sin_port)
    }

    static func pendingError(_ descriptor: Int32) -> Int32 {
        var error: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size)
        return error
    }

    /// Closes with a reset instead of an end.
    static func abort(_ descriptor: Int32) {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close(descriptor)
    }
}

private func systemConnect(_ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ size: socklen_t) -> Int32 {
    connect(descriptor, address, size)
}

private func systemBind(_ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ size: socklen_t) -> Int32 {
    bind(descriptor, address, size)
}
