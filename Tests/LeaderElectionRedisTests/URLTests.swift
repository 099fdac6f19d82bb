// SPDX-License-Identifier: MIT
#if Redis
import LeaderElection
import NIOSSL
import Testing

@testable import LeaderElectionRedis

@Suite("Redis: URLs")
struct URLTests {
    private func read(
        _ text: String,
        _ known: Set<String> = [],
        environment: [String: String] = [:]
    ) throws -> RedisURL {
        try RedisURL(text, recognizing: known) { environment[$0] }
    }

    @Test(
        "Hosts, ports, arrangements",
        arguments: [
            ("redis://db", RedisSettings.Arrangement.single(.host("db", port: 6379))),
            ("REDIS://db:1/", .single(.host("db", port: 1))),
            ("redis://[::1]", .single(.host("::1", port: 6379))),
            ("rediss://[fe80::1]:7000/0", .single(.host("fe80::1", port: 7000))),
            ("redis://10.0.0.1:65535", .single(.host("10.0.0.1", port: 65535))),
            ("valkey://db", .single(.host("db", port: 6379))),
            ("redis+unix:///run/redis.sock", .single(.socket(path: "/run/redis.sock"))),
            ("redis+unix:///run/a%20b.sock?db=3", .single(.socket(path: "/run/a b.sock"))),
            (
                "redis+sentinel://a,b:1/mymaster",
                .sentinel([.host("a", port: 26379), .host("b", port: 1)], primary: "mymaster")
            ),
            ("rediss+sentinel://u:p@a/m/2", .sentinel([.host("a", port: 26379)], primary: "m")),
            ("redis+cluster://a:1,[::1]:2", .cluster([.host("a", port: 1), .host("::1", port: 2)])),
            (
                "redis+quorum://a,b,c:3",
                .quorum([.host("a", port: 6379), .host("b", port: 6379), .host("c", port: 3)])
            ),
        ]
    )
    func arrangements(text: String, arrangement: RedisSettings.Arrangement) throws {
        #expect(try read(text).settings.arrangement == arrangement)
    }

    @Test(
        "Users and passwords are decoded",
        arguments: [
            ("redis://h", nil, nil), ("redis://:@h", nil, nil),
            ("redis://:secret@h", nil, "secret"), ("redis://u:p@h", "u", "p"),
            ("redis://u%3A:p%40%2F%3f%25%20é@h", "u:", "p@/?% é"), ("redis://u:a:b@h", "u", "a:b"),
            ("redis://u:a@b@h", "u", "a@b"),
            ("redis+unix://u:p@/run/s", "u", "p"),
        ]
    )
    func logins(text: String, username: String?, password: String?) throws {
        let settings = try read(text).settings
        #expect(settings.username == username)
        #expect(settings.password == password)
    }

    @Test(
        "The database is in the path or an option",
        arguments: [
            ("redis://h", 0), ("redis://h/", 0), ("redis://h/15", 15), ("redis://h?db=3", 3),
            ("redis+unix:///s?db=4", 4), ("redis+sentinel://h/m/5", 5), ("redis+cluster://h/0", 0),
        ]
    )
    func databases(text: String, number: Int) throws {
        #expect(try read(text).settings.database == number)
    }

    @Test("Options about connections")
    func connectionOptions() throws {
        let url = try read(
            "redis+sentinel://u:p@h/m?client-name=app-1&connect-timeout=500ms&sentinel-user=s&sentinel-password-env=P"
                + "&prefix=a%26b&password-env=Q",
            ["prefix"],
            environment: ["P": "sp", "Q": "qp"]
        )
        #expect(url.settings.clientName == "app-1")
        #expect(url.settings.connectTimeout == .milliseconds(500))
        #expect(url.settings.sentinelUsername == "s")
        #expect(url.settings.sentinelPassword == "sp")
        #expect(url.settings.password == "qp")
        #expect(url.options == ["prefix": "a&b"])
        #expect(url.settings.tls == nil)
    }

    @Test("TLS is verified in full unless something else is said")
    func tls() throws {
        #expect(try read("rediss://h").settings.tls?.certificateVerification == .fullVerification)
        #expect(try read("rediss://h?tls=verify-ca").settings.tls?.certificateVerification == .noHostnameVerification)
        #expect(
            try read("rediss+cluster://h?tls=none").settings.tls?.certificateVerification
                == CertificateVerification.none
        )
        let url = try read("rediss://h?cacert=/ca.pem&sni=name")
        #expect(url.settings.tlsServerName == "name")
        guard case .file("/ca.pem") = url.settings.tls?.trustRoots else {
            Issue.record("the authority is not the one that was named")
            return
        }
    }

    @Test(
        "What is wrong is named",
        arguments: [
            ("db:6379", "://"), ("http://h", "scheme"), ("redis://", "host is missing"),
            ("redis://a,b", "several hosts"), ("redis://h:0", "port"), ("redis://h:70000", "port"),
            ("redis://h:", ""), ("redis://::1", "brackets"), ("redis://[::1", "]"), ("redis://[::1]x", "]"),
            ("redis://h/x", "number"), ("redis://h/1/2", "number"), ("redis://h/1?db=1", "twice"),
            ("redis://h/-1", "number"), ("redis://h?tls=none", "rediss"), ("rediss://h?tls=yes", "verify-full"),
            ("rediss://h?cert=/c", "together"), ("rediss://h?cert=/none.pem&key=/none.key", "/none.pem"),
            ("redis+unix://h/s", "three slashes"), ("redis+unix:///", "three slashes"), ("rediss+unix:///s", "TLS"),
            ("redis+sentinel://h", "name"), ("redis+sentinel://h/", "name"), ("redis+quorum://a,b", "three"),
            ("redis+quorum://a,b,c,d", "odd"), ("redis+quorum://a,a,b", "twice"), ("redis+cluster://h/1", "database 0"),
            ("redis+cluster://h,", "host is missing"), ("redis://h?colour=red", "\"colour\""),
            ("redis://u@h", "without a password"), ("redis://h%zz", "%"), ("redis://h%0", "%"), ("redis://h%+1", "%"),
            ("redis://h%ff", "UTF-8"), ("redis://h%00", "UTF-8"), ("redis://h#x", "%23"), ("redis://a b", "character"),
            ("redis://h?connect-timeout=0s", "connect-timeout"), ("redis://h?client-name=a%20b", "client-name"),
            ("redis://h?password-env=NO_SUCH", "password-env"), ("redis://h?sentinel-password=x", "sentinel"),
        ]
    )
    func errors(text: String, part: String) throws {
        guard !part.isEmpty else {
            #expect(try read(text).settings.arrangement == .single(.host("h", port: 6379)))
            return
        }
        let error = #expect(throws: ElectionError.self) { try read(text) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
    }

    @Test(
        "No error repeats a secret, wherever in the URL something is wrong",
        arguments: [
            "redis://u:s3cr3t@", "redis://u:s3cr3t@:1", "redis://u:s3cr3t", "redis://u:s3cr3t@h:x",
            "redis://u:s3cr3t@h/x",
            "redis://u:s3cr3t%@h", "redis://u:s3cr3t%zz@h", "redis://u:s3cr3t#@h", "redis://u:s3cr3t?@h",
            "redis://u:p?s3cr3t@h", "redis://u:p/s3cr3t@h", "redis://u:1?s3cr3t=4", "redis://u:s3cr3t@h?tls=none",
            "http://u:s3cr3t@h", "u:s3cr3t@h", "redis+sentinel://u:s3cr3t@h", "redis+quorum://u:s3cr3t@a",
            "redis+cluster://u:s3cr3t@h/3", "redis+sentinel://h/m?sentinel-password=s3cr3t&x=1", "redis://s3cr3t@h",
            "redis+unix://u:s3cr3t@h/s", "redis://u:p@s3cr3t@h:p", "redis://:s3cr3t%ff@h", "redis://u:p@h?s3cr3t",
        ]
    )
    func secrets(text: String) throws {
        let error = #expect(throws: ElectionError.self) { try read(text) }
        #expect(error.map { "\($0)".contains("s3cr3t") } == false, "\(error.map { "\($0)" } ?? "")")
    }

    @Test("Settings never print a secret")
    func settingsKeepSecrets() throws {
        let settings = try read("redis+sentinel://u:s3cr3t@h/m?sentinel-password=s3cr3t").settings
        var dumped = ""
        dump(settings, to: &dumped)
        for text in ["\(settings)", String(describing: settings), String(reflecting: settings), dumped] {
            #expect(!text.contains("s3cr3t"))
            #expect(text.contains("h:26379"))
        }
    }
}
#endif
