// SPDX-License-Identifier: MIT
#if Consul
import LeaderElection
import NIOCore
import Testing

@testable import LeaderElectionConsul

@Suite struct ExaminationTests {
    private func health(_ servers: [(name: String, votes: Bool, isWell: Bool)]) throws -> StoreFinding? {
        let texts = servers.map { #"{"Name":"\#($0)","Voter":\#($1),"Healthy":\#($2),"SerfStatus":"alive"}"# }
        let body = #"{"Healthy":true,"FailureTolerance":9,"Servers":[\#(texts.joined(separator: ","))]}"#
        return try ConsulServers(health: ByteBuffer(string: body)).finding
    }

    @Test func serversThatAreWellAreFine() throws {
        let alone = try #require(try health([("a", true, true)]))
        #expect(alone.isFine && alone.seen.hasPrefix("a single server, whose loss"))
        let five = try #require(try health([1, 2, 3, 4, 5].map { ("s\($0)", true, true) } + [("reads", false, true)]))
        #expect(five.isFine && five.seen == "6 servers, of which 5 vote, all of them well; the loss of 2 is survived")
    }

    @Test func aServerThatIsNotWellIsFound() throws {
        let three = try #require(try health([("a", true, true), ("b", true, false), ("c", true, true)]))
        #expect(three.check == "quorum" && three.seen == "3 servers that vote; not well: b")
        #expect(three.trouble?.why.contains("as long as 2 of them vote: no more may fail") == true)
        let five = try #require(try health([1, 2, 3, 4, 5].map { ("s\($0)", true, $0 > 1) }))
        #expect(five.trouble?.why.contains("as long as 3 of them vote: 1 more may fail") == true)
    }

    @Test func twoServersAreFoundBecauseEitherCanEndElections() throws {
        let two = try #require(try health([("a", true, true), ("b", true, true), ("reads", false, true)]))
        #expect(two.seen == "3 servers, of which 2 vote" && two.trouble?.remedy.contains("add a third") == true)
    }

    @Test func withoutTheRightToSeeThemTheyAreCounted() throws {
        let three = ByteBuffer(string: #"["10.0.0.1:8300","10.0.0.2:8300","10.0.0.3:8300"]"#)
        let finding = try ConsulServers(peers: three).finding
        #expect(finding?.isFine == true)
        #expect(finding?.seen.contains("the loss of 1 is survived; whether all are well is told with") == true)
        #expect(try ConsulServers(peers: ByteBuffer(string: "[]")).finding == nil)
    }

    private func access(
        _ token: String = #"{"Policies":[{"ID":"1","Name":"elections"}],"Roles":[{"ID":"2","Name":"ops"}]}"#,
        mode: ConsulMode = .auto,
        session: Bool = true,
        unwritable: [String] = []
    ) -> StoreFinding {
        let owner = ConsulAccess.Owner(ByteBuffer(string: token))
        return ConsulAccess(prefix: "a/b/", mode: mode, owner: owner, maySession: session, unwritable: unwritable)
            .finding
    }

    @Test func aTokenThatMayElectIsFine() {
        #expect(access().isFine)
        #expect(access().seen == "the token (elections, ops) has what elections need: session:write, key:write")
        #expect(access("ACL support disabled").seen.hasPrefix("access control is off"))
        let ending = #"{"SecretID":"hush","ExpirationTime":"2030-01-01T00:00:00Z"}"#
        #expect(access(ending).seen.hasPrefix("the token (no policies), which expires at 2030-01-01T00:00:00Z, has"))
        #expect(!access(ending).seen.contains("hush"))
        #expect(access("ACL not found").seen.hasPrefix("this client, whose token is not known, has"))
    }

    @Test func whatATokenLacksIsNamedWithTheRule() {
        let nothing = access(session: false, unwritable: ["a/b/", "a/b.notes/"])
        #expect(nothing.seen.hasSuffix("lacks session:write, key:write for a/b/, key:write for a/b.notes/"))
        #expect(nothing.trouble?.why == "nobody can lead with it")
        #expect(
            nothing.trouble?.remedy
                == #"add to its policy: key_prefix "a/b" { policy = "write" } session_prefix "" { policy = "write" }"#
        )
        let sessionless = access(session: false)
        #expect(sessionless.trouble?.why.hasSuffix("shorter ones do without") == true)
        #expect(sessionless.trouble?.remedy.hasSuffix("or say mode=cas in the URL") == true)
        #expect(access(mode: .session, session: false).trouble?.remedy.contains("mode=cas") == false)
        let unlisted = access(unwritable: ["a/b.news/"])
        #expect(unlisted.trouble?.why.contains("nobody is listed") == true)
    }
}
#endif
