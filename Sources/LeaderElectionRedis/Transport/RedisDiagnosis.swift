// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection
internal import NIOCore
internal import NIOPosix
internal import NIOSSL

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// Says in one sentence what is wrong with a connection and what to do about it.
struct RedisDiagnosis: Sendable {
    let address: RedisSettings.Address
    let usesTLS: Bool
    /// The name that the certificate has to bear.
    var serverName: String?

    func explain(_ error: any Error) -> ElectionError {
        switch error {
        case let error as ElectionError: error
        case let error as RedisReplyReader.Failure: explain(error)
        case let error as NIOSSLError: explain(error)
        case let error as NIOSSLExtraError: explain(error)
        case let error as BoringSSLError: tls("\(error)", error)
        case let error as NIOConnectionError: explain(error)
        case let error as IOError: explain(error)
        case is NIOSSLCloseTimedOutError: closed
        case ChannelError.connectTimeout: unreachable
        case SocketAddressError.unixDomainSocketPathTooLong:
            ElectionError(
                .invalidConfiguration,
                "the path \(address) is too long for a socket; use a shorter one",
                cause: error
            )
        case ChannelError.ioOnClosedChannel, ChannelError.eof, ChannelError.alreadyClosed: closed
        default: unavailable("the connection to Redis at \(address) fails: \(error)", error)
        }
    }

    /// Nobody took the connection, nor refused it.
    var unreachable: ElectionError {
        ElectionError(
            .timedOut,
            "connecting to Redis at \(address) takes too long; check that the host is up and that no firewall drops "
                + "packets to it"
        )
    }

    var closed: ElectionError {
        unavailable("the server closed the connection to Redis at \(address); it is made anew")
    }

    /// The server hung up before it had answered anything.
    var closedAtLogin: ElectionError {
        guard !usesTLS else { return noTLS }
        // What a server that is full has to say may be lost, because it hangs up on what we have sent meanwhile.
        return unavailable(
            "the server at \(address) closed the connection at once; if it expects TLS, say rediss:// instead of "
                + "redis://; if it has no connection left, raise maxclients"
        )
    }

    /// The server took the connection and then said nothing.
    var silentAtLogin: ElectionError {
        guard !usesTLS else { return noTLS }
        return ElectionError(
            .timedOut,
            "the server at \(address) accepts connections but does not answer; check whether it is stuck, or whether it "
                + "is Redis at all"
        )
    }

    /// Without TLS a server answers our greeting with nonsense or, more often, not at all: chance decides which.
    private var noTLS: ElectionError {
        unavailable(
            "TLS was expected of the server at \(address), which does not answer in it; if it uses none, say redis:// "
                + "instead of rediss://, otherwise check whether it is stuck or has no connection left (maxclients)"
        )
    }

    private func explain(_ failure: RedisReplyReader.Failure) -> ElectionError {
        switch failure {
        // Which byte it was is left to the cause: other garbage is the same trouble.
        case .garbage:
            unavailable("what listens at \(address) does not speak the protocol of Redis; check host and port", failure)
        case .oversized:
            unavailable(
                "Redis at \(address) sent a reply far larger than what was asked for; check host and port",
                failure
            )
        }
    }

    private func explain(_ error: NIOSSLError) -> ElectionError {
        switch error {
        case .uncleanShutdown: closed
        case .handshakeFailed(let reason): tls("\(reason)", error)
        default: tls("\(error)", error)
        }
    }

    private func explain(_ error: NIOSSLExtraError) -> ElectionError {
        if error == .failedToValidateHostname || error == .serverHostnameImpossibleToMatch {
            return ElectionError(
                .storeRefused,
                "the certificate of Redis at \(address) is not made out to \(serverName ?? "that address"); correct the "
                    + "host, or name the one in the certificate by the option sni",
                cause: error
            )
        }
        return tls("\(error)", error)
    }

    private func tls(_ reason: String, _ error: any Error) -> ElectionError {
        if reason.contains("CERTIFICATE_VERIFY_FAILED") {
            return ElectionError(
                .storeRefused,
                "the certificate of Redis at \(address) is not signed by an authority that is trusted here; name the "
                    + "right one by the option cacert",
                cause: error
            )
        }
        if reason.contains("WRONG_VERSION_NUMBER") || reason.contains("EOF during handshake") { return noTLS }
        if reason.contains("CERTIFICATE_REQUIRED") || reason.contains("ALERT_BAD_CERTIFICATE")
            || reason.contains("ALERT_HANDSHAKE_FAILURE") || reason.contains("ALERT_UNKNOWN_CA")
        {
            return ElectionError(
                .storeRefused,
                "Redis at \(address) does not accept this client's certificate; name another by the options cert and key",
                cause: error
            )
        }
        return unavailable("the TLS connection to Redis at \(address) fails: \(reason)", error)
    }

    private func explain(_ error: NIOConnectionError) -> ElectionError {
        if let failure = error.connectionErrors.first { return explain(failure.error) }
        if let failure = error.dnsAError ?? error.dnsAAAAError { return explain(failure) }
        return unavailable("connecting to Redis at \(address) fails: \(error)", error)
    }

    private func explain(_ error: IOError) -> ElectionError {
        switch error.errnoCode {
        case ECONNREFUSED:
            return unavailable("nothing listens at \(address); start Redis there, or correct host and port", error)
        case ENOENT:
            return unavailable("there is no socket \(address); start Redis, or correct the path", error)
        case EACCES, EPERM:
            return ElectionError(
                .storeRefused,
                "this user may not connect to \(address); change the rights or the firewall",
                cause: error
            )
        case EHOSTUNREACH, ENETUNREACH:
            return unavailable("there is no route to Redis at \(address); check the network", error)
        case ECONNRESET, EPIPE: return closed
        case EMFILE, ENFILE:
            return unavailable("no descriptor is left for a connection to Redis at \(address); raise the limit", error)
        default: return unavailable("the connection to Redis at \(address) fails: \(error)", error)
        }
    }

    private func unavailable(_ text: String, _ cause: (any Error)? = nil) -> ElectionError {
        ElectionError(.storeUnavailable, text, cause: cause)
    }
}
#endif
