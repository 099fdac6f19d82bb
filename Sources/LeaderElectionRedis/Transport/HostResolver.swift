// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection
internal import NIOCore
internal import NIOPosix
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// Looks one name up on a thread of its own.
///
/// The system's look-up blocks, sometimes for half a minute. At most one is under way for a name: whoever asks
/// meanwhile gets its result too, so that attempts against a dead name server do not pile up threads.
final class HostResolver: Resolver, Sendable {
    private let four: EventLoopPromise<[SocketAddress]>
    private let six: EventLoopPromise<[SocketAddress]>

    init(_ loop: any EventLoop) {
        (four, six) = (loop.makePromise(), loop.makePromise())
    }

    func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> { four.futureResult }

    /// Always called first, and answers for both kinds.
    func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        HostLookups.shared.find(host) { [four, six] result in
            switch result {
            case .success(let found):
                six.succeed(found.filter { $0.protocol == .inet6 }.map { $0.withPort(port) })
                four.succeed(found.filter { $0.protocol == .inet }.map { $0.withPort(port) })
            case .failure(let error):
                six.fail(error)
                four.fail(error)
            }
        }
        return six.futureResult
    }

    func cancelQueries() {}
}

/// The look-ups of the process.
private final class HostLookups: Sendable {
    typealias Found = @Sendable (Result<[SocketAddress], ElectionError>) -> Void

    static let shared = HostLookups()

    private let underWay = Mutex<[String: [Found]]>([:])

    func find(_ host: String, _ found: @escaping Found) {
        let isFirst = underWay.withLock { underWay in
            defer { underWay[host, default: []].append(found) }
            return underWay[host] == nil
        }
        guard isFirst else { return }
        SerialThread(name: "redis-names").execute { [self] in
            let result = Self.lookUp(host)
            for found in underWay.withLock({ $0.removeValue(forKey: host) }) ?? [] { found(result) }
        }
    }

    private static func lookUp(_ host: String) -> Result<[SocketAddress], ElectionError> {
        var hints = addrinfo()
        #if canImport(Glibc)
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #else
        hints.ai_socktype = SOCK_STREAM
        #endif
        var first: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, nil, &hints, &first)
        guard code == 0 else {
            let reason = gai_strerror(code).map { String(cString: $0) } ?? "error \(code)"
            let error = ElectionError(
                .storeUnavailable,
                "the name \(host) of the Redis server cannot be resolved (\(reason)); correct it, or mend the name service"
            )
            return .failure(error)
        }
        defer { freeaddrinfo(first) }
        var addresses: [SocketAddress] = []
        for entry in sequence(first: first, next: { $0?.pointee.ai_next }) {
            guard let entry = entry?.pointee, let address = entry.ai_addr else { break }
            switch entry.ai_family {
            case AF_INET:
                address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    addresses.append(SocketAddress($0.pointee, host: host))
                }
            case AF_INET6:
                address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                    addresses.append(SocketAddress($0.pointee, host: host))
                }
            default: break
            }
        }
        return .success(addresses)
    }
}

extension SocketAddress {
    fileprivate func withPort(_ port: Int) -> SocketAddress {
        var copy = self
        copy.port = port
        return copy
    }
}
#endif
