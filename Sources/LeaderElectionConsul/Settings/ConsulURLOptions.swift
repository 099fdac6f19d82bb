// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import NIOSSL

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// The options behind the question mark, and the variables that Consul's own programs read.
struct ConsulURLOptions {
    private static var names: String {
        "cacert, cert, dc, key, lockDelay, mode, ns, partition, prefix, sni, tls, token, tokenEnv, tokenFile"
    }

    private var values: [(name: String, value: String)] = []

    init(_ query: Substring) throws(ElectionError) {
        for pair in query.split(separator: "&") {
            let sign = pair.firstIndex(of: "=") ?? pair.endIndex
            let name = try ConsulURL.decode(pair[..<sign], "name of an option")
            values.append((name, try ConsulURL.decode(pair[sign...].dropFirst(), "value of an option")))
        }
    }

    /// The value of an option, which then counts as understood; the last one if it was given twice.
    mutating func take(_ name: String) -> String? {
        let value = values.last { $0.name == name }?.value
        values.removeAll { $0.name == name }
        return value
    }

    mutating func apply(
        to settings: inout ConsulSettings,
        usesTLS: Bool,
        token: String?,
        environment: ConsulURL.Environment
    ) throws(ElectionError) {
        func variable(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }
        settings.token = try takeToken(given: token, variable)
        settings.datacenter = take("dc")
        settings.namespace = take("ns") ?? variable("CONSUL_NAMESPACE")
        settings.partition = take("partition") ?? variable("CONSUL_PARTITION")
        for name in [settings.datacenter, settings.namespace, settings.partition].compactMap(\.self) {
            guard
                name.utf8.allSatisfy({
                    (0x30...0x39).contains($0) || (0x61...0x7A).contains($0 | 0x20) || $0 == 0x2D || $0 == 0x5F
                })
            else { throw ConsulURL.error("dc, ns and partition take names of letters, digits, - and _") }
        }
        if let text = take("mode") {
            guard let mode = ConsulMode(rawValue: text) else {
                throw ConsulURL.error("the option mode takes auto, session or cas")
            }
            settings.mode = mode
        }
        if let text = take("lockDelay") {
            settings.lockDelay = try Self.duration(text, "lockDelay")
        }
        try applyTLS(to: &settings, usesTLS: usesTLS, variable)
        if let (name, _) = values.first {
            throw ConsulURL.error("the option \"\(Self.shown(name))\" is not known; there are \(Self.names)")
        }
    }

    private mutating func takeToken(
        given: String?,
        _ variable: (String) -> String?
    ) throws(ElectionError) -> String? {
        let (token, name, file) = (take("token"), take("tokenEnv"), take("tokenFile"))
        guard [token, name, file, given].count(where: { $0 != nil }) <= 1 else {
            throw ConsulURL.error("token, tokenEnv and tokenFile exclude each other; give one of them")
        }
        var found = token ?? given
        if let name {
            guard let value = variable(name) else {
                throw ConsulURL.error(
                    "the option tokenEnv names a variable of the environment that is not set or empty"
                )
            }
            found = value
        } else if let file = file ?? (found == nil ? variable("CONSUL_HTTP_TOKEN_FILE") : nil) {
            guard let data = FileManager.default.contents(atPath: file),
                let text = String(validating: data, as: UTF8.self)
            else { throw ConsulURL.error("the file \(file), which should hold the token, cannot be read") }
            found = String(text.drop(while: \.isWhitespace).prefix { !$0.isWhitespace })
        } else if found == nil {
            found = variable("CONSUL_HTTP_TOKEN")
        }
        guard let found, !found.isEmpty else { return nil }
        guard found.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw ConsulURL.error("the token holds a character that no token has; it is not shown")
        }
        return found
    }

    private mutating func applyTLS(
        to settings: inout ConsulSettings,
        usesTLS: Bool,
        _ variable: (String) -> String?
    ) throws(ElectionError) {
        guard usesTLS else {
            for name in ["tls", "cacert", "cert", "key", "sni"] where values.contains(where: { $0.name == name }) {
                throw ConsulURL.error("the option \(name) is about TLS; say consul+https instead of consul to use it")
            }
            return
        }
        var tls = TLSConfiguration.makeClientConfiguration()
        switch take("tls") ?? (variable("CONSUL_HTTP_SSL_VERIFY") == "false" ? "none" : "verify-full") {
        case "verify-full": tls.certificateVerification = .fullVerification
        case "verify-ca": tls.certificateVerification = .noHostnameVerification
        case "none": tls.certificateVerification = .none
        default: throw ConsulURL.error("the option tls takes verify-full, verify-ca or none")
        }
        if let path = take("cacert") ?? variable("CONSUL_CACERT") {
            guard FileManager.default.isReadableFile(atPath: path) else {
                throw ConsulURL.error("the file \(path) of the option cacert cannot be read")
            }
            tls.trustRoots = .file(path)
        }
        switch (take("cert") ?? variable("CONSUL_CLIENT_CERT"), take("key") ?? variable("CONSUL_CLIENT_KEY")) {
        case (let certificate?, let key?):
            do {
                tls.certificateChain = try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) }
            } catch {
                throw ConsulURL.error(
                    "the file \(certificate) of the option cert holds no certificate in PEM that can be read"
                )
            }
            do {
                tls.privateKey = .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
            } catch {
                throw ConsulURL.error("the file \(key) of the option key holds no private key in PEM that can be read")
            }
        case (nil, nil): break
        default: throw ConsulURL.error("the options cert and key are given together or not at all")
        }
        settings.tlsServerName = take("sni") ?? variable("CONSUL_TLS_SERVER_NAME")
        settings.tls = tls
    }

    /// A name as it may be repeated: what looks like one, and nothing that a misplaced secret would look like.
    private static func shown(_ name: String) -> String {
        name.utf8.count <= 20 && name.utf8.allSatisfy { (0x61...0x7A).contains($0 | 0x20) } ? name : "…"
    }

    /// `5s`, `500ms`, `0s`.
    private static func duration(_ text: String, _ option: String) throws(ElectionError) -> Duration {
        let isMilliseconds = text.hasSuffix("ms")
        let digits = isMilliseconds ? text.dropLast(2) : text.dropLast()
        guard text.hasSuffix("s"), !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int(digits), number <= (isMilliseconds ? 60_000 : 60)
        else { throw ConsulURL.error("the option \(option) takes a time such as 5s or 500ms, at most 60s") }
        return isMilliseconds ? .milliseconds(number) : .seconds(number)
    }
}
#endif
