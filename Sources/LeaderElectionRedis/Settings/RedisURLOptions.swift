// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection
internal import NIOSSL

/// The options behind the question mark.
struct RedisURLOptions {
    private var values: [(name: String, value: String)]

    init(_ values: [(name: String, value: String)]) { self.values = values }

    /// The value of an option, which then counts as understood; the last one if it was given twice.
    mutating func take(_ name: String) -> String? {
        let value = values.last { $0.name == name }?.value
        values.removeAll { $0.name == name }
        return value
    }

    /// Takes what is about connections.
    mutating func apply(
        to settings: inout RedisSettings,
        usesTLS: Bool,
        environment: RedisURL.Environment
    ) throws(ElectionError) {
        if let name = take("password-env") {
            settings.password = try Self.secret(name, "password-env", environment)
        }
        if let name = take("username") { settings.username = name }
        if let user = take("sentinel-user") { settings.sentinelUsername = user }
        if let name = take("sentinel-password-env") {
            settings.sentinelPassword = try Self.secret(name, "sentinel-password-env", environment)
        }
        if let password = take("sentinel-password") { settings.sentinelPassword = password }
        if let name = take("client-name") {
            guard !name.isEmpty, name.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw RedisURL.error("the option client-name takes visible ASCII characters without spaces")
            }
            settings.clientName = name
        }
        if let text = take("connect-timeout") { settings.connectTimeout = try Self.duration(text, "connect-timeout") }
        try applyTLS(to: &settings, usesTLS: usesTLS)
    }

    private mutating func applyTLS(to settings: inout RedisSettings, usesTLS: Bool) throws(ElectionError) {
        guard usesTLS else {
            for name in ["tls", "cacert", "cert", "key", "sni"] where values.contains(where: { $0.name == name }) {
                throw RedisURL.error("the option \(name) is about TLS; say rediss instead of redis to use it")
            }
            return
        }
        var tls = TLSConfiguration.makeClientConfiguration()
        switch take("tls") ?? "verify-full" {
        case "verify-full": tls.certificateVerification = .fullVerification
        case "verify-ca": tls.certificateVerification = .noHostnameVerification
        case "none": tls.certificateVerification = .none
        default: throw RedisURL.error("the option tls takes verify-full, verify-ca or none")
        }
        if let path = take("cacert") { tls.trustRoots = .file(path) }
        let (certificate, key) = (take("cert"), take("key"))
        switch (certificate, key) {
        case (let certificate?, let key?):
            do {
                tls.certificateChain = try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) }
            } catch {
                throw RedisURL.error(
                    "the file \(certificate) of the option cert holds no certificate in PEM that can be read"
                )
            }
            do {
                tls.privateKey = .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
            } catch {
                throw RedisURL.error("the file \(key) of the option key holds no private key in PEM that can be read")
            }
        case (nil, nil): break
        default: throw RedisURL.error("the options cert and key are given together or not at all")
        }
        settings.tlsServerName = take("sni")
        settings.tls = tls
    }

    /// What is left for the caller; refuses what nobody knows.
    func rest(recognizing known: Set<String>) throws(ElectionError) -> [String: String] {
        var rest: [String: String] = [:]
        for (name, value) in values {
            guard known.contains(name) else {
                let names = (Self.names + known).sorted().joined(separator: ", ")
                throw RedisURL.error("the option \"\(Self.shown(name))\" is not known; there are \(names)")
            }
            rest[name] = value
        }
        return rest
    }

    private static let names = [
        "cacert", "cert", "client-name", "connect-timeout", "db", "key", "password-env", "sentinel-password",
        "sentinel-password-env", "sentinel-user", "sni", "tls", "username",
    ]

    /// A name as it may be repeated: what looks like one, and nothing that a misplaced secret would look like.
    private static func shown(_ name: String) -> String {
        let isName =
            name.utf8.count <= 30
            && name.utf8.allSatisfy { (0x61...0x7A).contains($0 | 0x20) || $0 == 0x2D || $0 == 0x5F }
        return isName ? name : "…"
    }

    private static func secret(
        _ name: String,
        _ option: String,
        _ environment: RedisURL.Environment
    ) throws(ElectionError) -> String {
        guard let value = environment(name), !value.isEmpty else {
            throw RedisURL.error("the option \(option) names an environment variable that is not set or empty")
        }
        return value
    }

    /// `5s`, `500ms`, or a number of seconds.
    private static func duration(_ text: String, _ option: String) throws(ElectionError) -> Duration {
        let isMilliseconds = text.hasSuffix("ms")
        let digits = isMilliseconds ? text.dropLast(2) : text.hasSuffix("s") ? text.dropLast() : text[...]
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits),
            (1...(isMilliseconds ? 600_000 : 600)).contains(number)
        else { throw RedisURL.error("the option \(option) takes a time such as 5s or 500ms, at most ten minutes") }
        return isMilliseconds ? .milliseconds(number) : .seconds(number)
    }
}
#endif
