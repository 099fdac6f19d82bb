// SPDX-License-Identifier: MIT

internal import LeaderElection

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// The ZooKeeper servers that a URL names, each asked by itself: a session would only ever see one of them.
struct Ensemble {
    /// What one server said of itself.
    enum Answer: Hashable {
        /// `leader`, `follower`, `observer` or `standalone`; nil from one that is there but may not tell.
        case serves(String?)
        case silent(String)
    }

    private static var patience: Int32 { 2000 }

    let servers: [(host: String, port: String)]

    /// - Parameter url: one that the provider has understood.
    init(url: String) {
        let place = url.dropFirst("zookeeper://".count).prefix { $0 != "/" && $0 != "?" }
        let hosts = place[(place.lastIndex(of: "@").map { place.index(after: $0) } ?? place.startIndex)...]
        servers = hosts.split(separator: ",").map { server -> (host: String, port: String) in
            // An address of IPv6 has colons of its own, in brackets.
            let colon = server.last == "]" ? nil : server.lastIndex(of: ":")
            let host = server[..<(colon ?? server.endIndex)].filter { $0 != "[" && $0 != "]" }
            return (host, colon.map { String(server[server.index(after: $0)...]) } ?? "2181")
        }
    }

    func findings() async -> [StoreFinding] {
        let servers = servers
        // One that hangs up is no reason to end.
        signal(SIGPIPE, SIG_IGN)
        // These calls block.
        let thread = SerialThread(name: "elect-ensemble")
        let answers: [Answer] = await withCheckedContinuation { continuation in
            thread.execute { continuation.resume(returning: servers.map { Self.ask($0.host, $0.port) }) }
        }
        return [Self.finding(zip(servers, answers).map { ("\($0.host):\($0.port)", $1) })]
    }

    static func finding(_ answers: [(server: String, answer: Answer)]) -> StoreFinding {
        let texts = answers.map { server, answer in
            switch answer {
            case .serves(let mode): "\(server) \(mode ?? "serves")"
            case .silent(let why): "\(server) does not serve (\(why))"
            }
        }
        let seen = "the servers: \(texts.joined(separator: ", "))"
        let serving = answers.filter { if case .serves = $0.answer { true } else { false } }
        guard serving.count == answers.count else {
            return .trouble(
                "quorum",
                seen,
                why: "an ensemble of \(answers.count) lives as long as \(answers.count / 2 + 1) of them do",
                remedy: "bring back what is missing, or correct the list of servers"
            )
        }
        let alone = answers.filter { $0.answer == .serves("standalone") }.count
        guard alone == 0 || answers.count == 1 else {
            return .trouble(
                "quorum",
                seen,
                why: "a standalone server knows nothing of the others, so that there may be a leader for each",
                remedy: "make one ensemble of them, or name one only"
            )
        }
        let survives = alone == 1 ? "; a single one, whose loss leaves everybody without a leader" : ""
        return .fine("quorum", seen + survives)
    }

    /// What a server answers to `srvr`, the one word that every server permits by default.
    private static func ask(_ host: String, _ port: String) -> Answer {
        var hints = addrinfo()
        // TCP, by its number in every system.
        hints.ai_protocol = 6
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, port, &hints, &found) == 0, let found else { return .silent("its name is unknown") }
        defer { freeaddrinfo(found) }
        var next: UnsafeMutablePointer<addrinfo>? = found
        var failure = "no answer"
        while let address = next?.pointee {
            next = address.ai_next
            let descriptor = socket(address.ai_family, address.ai_socktype, address.ai_protocol)
            guard descriptor >= 0 else { continue }
            defer { close(descriptor) }
            _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
            if connect(descriptor, address.ai_addr, address.ai_addrlen) != 0, errno != EINPROGRESS {
                failure = String(cString: strerror(errno))
                continue
            }
            guard isReady(descriptor, POLLOUT) else { continue }
            var (error, size) = (Int32(0), socklen_t(4))
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size)
            guard error == 0, write(descriptor, "srvr", 4) == 4 else {
                failure = String(cString: strerror(error == 0 ? errno : error))
                continue
            }
            return mode(in: reply(descriptor))
        }
        return .silent(failure)
    }

    static func mode(in reply: String) -> Answer {
        if reply.contains("not currently serving requests") { return .silent("it has no majority") }
        let lines = reply.split(separator: "\n")
        if let mode = lines.first(where: { $0.hasPrefix("Mode: ") }) { return .serves(String(mode.dropFirst(6))) }
        return reply.contains("whitelist") ? .serves(nil) : .silent("it does not answer as ZooKeeper does")
    }

    private static func reply(_ descriptor: Int32) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while bytes.count < 65_536, isReady(descriptor, POLLIN) {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            bytes += buffer.prefix(count)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func isReady(_ descriptor: Int32, _ events: Int32) -> Bool {
        var request = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        return poll(&request, 1, patience) > 0
    }
}
