// SPDX-License-Identifier: MIT
#if Consul
import AsyncHTTPClient
import Foundation
import IntegrationSupport
import LeaderElection
import NIOCore
import NIOHTTP1
import Testing

@testable import LeaderElectionConsul

/// An agent, and a prefix that no other test uses.
struct Agent: Sendable {
    let url: String
    let prefix = "tests/\(Nonce())/"

    init(_ backend: Backend) { self.init(url: backend.url) }

    init(url: String) { self.url = url }

    /// - Parameter port: of a proxy in front of the agent.
    func settings(_ mode: ConsulMode = .session, port: UInt16? = nil, lockDelay: Duration? = nil) throws
        -> ConsulSettings
    {
        var settings = try ConsulURL.settings(url, environment: { _ in nil })
        settings.prefix = prefix
        settings.mode = mode
        if let lockDelay { settings.lockDelay = lockDelay }
        // What the test servers are set to.
        settings.shortestSession = .seconds(1)
        if let port, case .host(let host, _) = settings.address { settings.address = .host(host, port: Int(port)) }
        return settings
    }

    func provider(
        _ mode: ConsulMode = .session,
        port: UInt16? = nil,
        lockDelay: Duration? = nil
    ) throws -> ConsulElectionProvider {
        ConsulElectionProvider(try settings(mode, port: port, lockDelay: lockDelay))
    }

    func key(_ group: String) throws -> String { KeyNames(prefix: prefix).key(try ElectionGroup(group)) }

    /// Where it answers without TLS.
    private var plainPort: UInt16 {
        let port = NetworkAddress.all(in: url)[0].port
        return url.hasPrefix("consul+https") ? port + 1 : port
    }

    /// What another program does by Consul's API; status and body.
    @discardableResult
    func call(
        _ method: String,
        _ path: String,
        _ body: String? = nil,
        token: String? = nil
    ) async throws -> (status: Int, body: String) {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(plainPort)/v1/\(path)")
        if let token { request.headers.add(name: "X-Consul-Token", value: token) }
        request.method = .init(rawValue: method)
        request.headers.add(name: "Content-Type", value: "application/json")
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        let bytes = try await response.body.collect(upTo: 1 << 24)
        return (Int(response.status.code), String(buffer: bytes))
    }

    /// Whose token may do everything, where there is access control.
    static let management = "00000000-0000-0000-0000-00000000aaaa"

    /// Makes a token with one policy of its own.
    func token(_ rules: String, policy name: String) async throws -> String {
        let policy = try JSONSerialization.data(withJSONObject: ["Name": name, "Rules": rules])
        let rule = try await call("PUT", "acl/policy", String(decoding: policy, as: UTF8.self), token: Self.management)
        #expect(rule.status == 200, "\(rule.body)")
        let token = UUID().uuidString.lowercased()
        let make = #"{"SecretID":"\#(token)","Policies":[{"Name":"\#(name)"}]}"#
        let made = try await call("PUT", "acl/token", make, token: Self.management)
        #expect(made.status == 200, "\(made.body)")
        return token
    }

    /// A session as another program would have it.
    func session(ttl: String = "10s", lockDelay: String = "0s") async throws -> String {
        let body = #"{"TTL":"\#(ttl)","LockDelay":"\#(lockDelay)","Behavior":"release","NodeChecks":[],"Checks":[]}"#
        let answer = try await call("PUT", "session/create", body)
        return try #require(JSONDecoder().decode([String: String].self, from: Data(answer.body.utf8))["ID"])
    }

    func entry(_ group: String) async throws -> KVEntry? {
        let answer = try await call("GET", "kv/\(try key(group))?consistent")
        guard answer.status == 200 else { return nil }
        return try JSONDecoder().decode([KVEntry].self, from: Data(answer.body.utf8)).first
    }
}
#endif
