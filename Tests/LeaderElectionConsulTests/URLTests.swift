// SPDX-License-Identifier: MIT
#if Consul
import LeaderElection
import Testing

@testable import LeaderElectionConsul

@Suite struct URLTests {
    private func settings(_ url: String, _ environment: [String: String] = [:]) throws -> ConsulSettings {
        try ConsulURL.settings(url, environment: { environment[$0] })
    }

    private func refusal(_ url: String, _ environment: [String: String] = [:]) -> String {
        do {
            _ = try settings(url, environment)
            return "taken"
        } catch let error as ElectionError where error.code == .invalidConfiguration {
            return error.message
        } catch {
            return "\(error)"
        }
    }

    @Test func aHostIsEnough() throws {
        let settings = try settings("consul://consul.internal")
        #expect(settings.address == .host("consul.internal", port: 8500))
        #expect(settings.prefix == "leader-election/")
        #expect(settings.mode == .auto)
        #expect(settings.token == nil && settings.tls == nil && settings.lockDelay == nil)
    }

    @Test func everythingCanBeSaid() throws {
        let settings = try settings(
            "consul+https://[::1]:9501/a/b/?mode=session&lockDelay=500ms&token=t%2D1&dc=dc1&ns=team&partition=p_1&sni=consul"
        )
        #expect(settings.address == .host("::1", port: 9501))
        #expect(settings.place == "[::1]:9501")
        #expect(settings.prefix == "a/b/")
        #expect(settings.mode == .session && settings.lockDelay == .milliseconds(500))
        #expect(settings.token == "t-1")
        #expect(settings.datacenter == "dc1" && settings.namespace == "team" && settings.partition == "p_1")
        #expect(settings.tls != nil && settings.tlsServerName == "consul")
    }

    @Test func aSocketHasItsPrefixAmongTheOptions() throws {
        let settings = try settings("consul+unix:///run/consul.sock?prefix=jobs")
        #expect(settings.address == .socket(path: "/run/consul.sock"))
        #expect(settings.prefix == "jobs/")
    }

    @Test func variablesOfConsulsProgramsAreRead() throws {
        let environment = [
            "CONSUL_HTTP_TOKEN": "secret", "CONSUL_NAMESPACE": "team", "CONSUL_PARTITION": "p",
            "CONSUL_TLS_SERVER_NAME": "name", "OTHER": "other-secret",
        ]
        let settings = try settings("consul+https://host", environment)
        #expect(settings.token == "secret" && settings.namespace == "team" && settings.partition == "p")
        #expect(settings.tlsServerName == "name")
        #expect(try self.settings("consul://host?token=mine", environment).token == "mine")
        #expect(try self.settings("consul://host?tokenEnv=OTHER", environment).token == "other-secret")
    }

    @Test(arguments: [
        ("consul:host", "://"), ("http://host", "scheme"), ("consul://user:hush@host", "token"),
        ("consul://host:0", "port"), ("consul://host:hush", "port"), ("consul://a,b", "one agent"),
        ("consul://host?mode=hush", "auto, session or cas"), ("consul://host?lockDelay=61s", "lockDelay"),
        ("consul://host?lockDelay=hush", "lockDelay"), ("consul://host?cacert=/x", "consul+https"),
        ("consul://host?hush=1", "lockDelay, mode"), ("consul://host?hush:1=1", "\u{2026}"),
        ("consul://host?token=hush&tokenEnv=A", "exclude"), ("consul://host?tokenEnv=HUSH", "not set"),
        ("consul://host?tokenFile=/nowhere/at/all", "cannot be read"), ("consul://host?token=hu%20sh", "character"),
        ("consul+https://host?cert=/a", "together"), ("consul+https://host?tls=hush", "verify-full"),
        ("consul://host/a%20b", "prefix"), ("consul://host/a?prefix=b", "twice"), ("consul://host/%zz", "hexadecimal"),
        ("consul://host?dc=a/b", "letters"), ("consul+unix://host/x", "three slashes"), ("consul://host#x", "%23"),
    ])
    func whatCannotBeUsedIsNamedWithARemedyAndWithoutSecrets(_ url: String, _ word: String) {
        let message = refusal(url)
        #expect(message.contains(word), "\(message)")
        if !word.contains("lockDelay, mode") { #expect(!message.lowercased().contains("hush"), "\(message)") }
    }

    @Test func aModeIsChosenByTheLease() throws {
        let auto = try settings("consul://host")
        #expect(auto.usesSession(.seconds(10)) && !auto.usesSession(.milliseconds(9999)))
        #expect(try settings("consul://host?mode=cas").usesSession(.seconds(60)) == false)
        #expect(auto.lockDelay(forLease: .seconds(30)) == .seconds(30))
        #expect(auto.lockDelay(forLease: .seconds(300)) == .seconds(60), "Consul allows no more")
        #expect(try settings("consul://host?lockDelay=0s").lockDelay(forLease: .seconds(30)) == .zero)
    }

    @Test func aLeaseThatNoSessionCanHaveIsRefusedWithARemedy() throws {
        let provider = try ConsulElectionProvider("consul://host?mode=session")
        let group = try ElectionGroup("g")
        try provider.validate(group, leaseDuration: .seconds(10))
        let error = #expect(throws: ElectionError.self) { try provider.validate(group, leaseDuration: .seconds(9)) }
        #expect(error?.message.contains("9") == true && error?.message.contains("mode=cas") == true)
        #expect(throws: ElectionError.self) { try provider.validate(group, leaseDuration: .seconds(86_401)) }
    }
}
#endif
