// SPDX-License-Identifier: MIT
#if Consul
internal import AsyncHTTPClient
internal import LeaderElection
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// What went wrong on the way to an agent or in it, in words that stay the same while the cause does.
enum ConsulFailure {
    static func transport(_ error: any Error, at place: String) -> any Error {
        if error is CancellationError { return error }
        let code: ElectionError.Code
        let text: String
        switch error {
        case let error as HTTPClientError
        where error == .deadlineExceeded || error == .readTimeout || error == .connectTimeout
            || error == .getConnectionFromPoolTimeout:
            return late(at: place)
        case let error where isClosing(error):
            (code, text) = (
                .storeUnavailable,
                "Consul at \(place) closes connections; check that the agent is up, and that its http_max_conns_per_client "
                    + "leaves room for this process"
            )
        case let error as HTTPClientError where error == .cancelled || error == .alreadyShutdown:
            return CancellationError()
        case let error as HTTPClientError where error == .tlsHandshakeTimeout:
            (code, text) = (.storeUnavailable, "Consul at \(place) does not speak TLS; say consul:// if it needs none")
        case let error as NIOConnectionError where error.dnsAError != nil || error.dnsAAAAError != nil:
            (code, text) = (.storeUnavailable, "the host of \(place) cannot be looked up; check its name")
        case let error as NIOConnectionError:
            let cause = error.connectionErrors.first.map { Self.short($0.error) } ?? "no address"
            (code, text) = (
                .storeUnavailable, "Consul at \(place) cannot be reached: \(cause); check that the agent is up"
            )
        case let error as NIOSSLError:
            (code, text) = (.storeRefused, "TLS with Consul at \(place) fails: \(Self.short(error)); \(Self.tlsRemedy)")
        case let error as NIOSSLExtraError:
            (code, text) = (.storeRefused, "TLS with Consul at \(place) fails: \(error.description); \(Self.tlsRemedy)")
        case is BoringSSLError:
            (code, text) = (.storeRefused, "TLS with Consul at \(place) fails: \(Self.short(error)); \(Self.tlsRemedy)")
        case let error as IOError:
            (code, text) = (.storeUnavailable, "Consul at \(place) cannot be reached: \(Self.short(error))")
        default:
            (code, text) = (.storeUnavailable, "the connection to Consul at \(place) broke: \(Self.short(error))")
        }
        return ElectionError(code, text, cause: error)
    }

    /// One thing, however far a request had come when it happened.
    private static func isClosing(_ error: any Error) -> Bool {
        switch error {
        case let error as HTTPClientError: error == .remoteConnectionClosed
        case let error as ChannelError: error == .ioOnClosedChannel || error == .eof || error == .inputClosed
        case let error as IOError: error.errnoCode == ECONNRESET || error.errnoCode == EPIPE
        default: false
        }
    }

    static func late(at place: String) -> ElectionError {
        ElectionError(.timedOut, "Consul at \(place) did not answer in time; check that the agent is up")
    }

    private static var tlsRemedy: String {
        "check cacert, the name in the server's certificate, and cert and key if it asks for them"
    }

    /// An answer that says that the request was not carried out.
    static func answer(_ response: HTTPClient.Response, at place: String) -> ElectionError {
        let body = response.body.map {
            String(buffer: $0.getSlice(at: $0.readerIndex, length: min(300, $0.readableBytes)) ?? $0)
        }
        let said = shown(body ?? "")
        switch response.status.code {
        case 401, 403:
            return ElectionError(
                .storeRefused,
                "Consul at \(place) refuses this token (\(said)): it needs session:write for the agent's node and key:write "
                    + "for the prefix; give another by token, tokenEnv, tokenFile or CONSUL_HTTP_TOKEN"
            )
        case 429:
            return ElectionError(
                .storeUnavailable,
                "Consul at \(place) limits how often it is asked (\(said)); raise its limits, or use longer leases"
            )
        case 500... where said.contains("No cluster leader") || said.contains("leadership lost"):
            return ElectionError(
                .storeUnavailable,
                "Consul at \(place) has no leader among its servers; it works again when most of them are up"
            )
        case 500... where isDenial(said):
            return ElectionError(.storeRefused, "Consul at \(place) refuses this token: \(said)")
        case 400... where said.contains("Invalid Session TTL"):
            return ElectionError(
                .invalidConfiguration,
                "Consul at \(place) takes no session of this lease: \(said); choose a longer lease, or mode=cas"
            )
        case 400:
            return ElectionError(.invalidConfiguration, "Consul at \(place) does not take the request: \(said)")
        case 500...:
            return ElectionError(.storeUnavailable, "Consul at \(place) does not work now: \(said)")
        default:
            return ElectionError(
                .storeUnsuitable,
                "what answers at \(place) is not Consul as we know it (status \(response.status.code)): \(said)"
            )
        }
    }

    /// Whether Consul's access control does not let this token do what was asked.
    static func isDenial(_ text: String) -> Bool {
        text.contains("Permission denied") || text.contains("ACL not found")
    }

    /// An operation of a transaction that was refused.
    static func operation(_ text: String, at place: String) -> ElectionError {
        if isDenial(text) {
            return ElectionError(
                .storeRefused,
                "Consul at \(place) refuses this token (\(shown(text))): it needs key:write for the prefix"
            )
        }
        return ElectionError(.storeUnavailable, "Consul at \(place) refuses to write: \(shown(text))")
    }

    /// Printable, short, and without numbers that differ from time to time.
    static func shown(_ text: String) -> String {
        var result = ""
        var line = text.prefix { !$0.isNewline }
        for noise in ["rpc error making call: ", "rpc error: "] where line.hasPrefix(noise) {
            line = line.dropFirst(noise.count)
        }
        // Ports, times and identifiers of requests differ each time, and would make of one cause many.
        let same = line.replacing(/[0-9A-Fa-f]{8}-[0-9A-Fa-f-]{27}|[0-9A-Fa-f]{12,}|[0-9]{5,}/, with: "…")
        for scalar in same.unicodeScalars.prefix(160) {
            result.unicodeScalars.append(scalar.value < 0x20 || scalar.value == 0x7F ? "?" : scalar)
        }
        return result
    }

    private static func short(_ error: any Error) -> String {
        (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? shown("\(error)")
    }
}
#endif
