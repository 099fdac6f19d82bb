// SPDX-License-Identifier: MIT
#if Redis
import LeaderElection
import Testing

@testable import LeaderElectionRedis

@Suite("Redis: keys, words, options")
struct ProviderPartsTests {
    @Test func keysAreReadable() throws {
        let keys = LeaseKeys(prefix: "leader-election")
        #expect(keys.lease(try ElectionGroup("a {b} c")) == "leader-election:lease:a {b} c")
        #expect(keys.notes(try ElectionGroup("a {b} c")) == "leader-election:notes:a {b} c")
        #expect(keys.authority == "leader-election:authority")
        #expect(keys.channel == "leader-election:changes")
    }

    @Test(arguments: ["p", "a}b", "}", "{", "{}", "a{b}c", "%", "%7D"])
    func allKeysOfAClusterShareATagWhateverThePrefix(prefix: String) throws {
        let keys = LeaseKeys(tagging: prefix)
        let group = try ElectionGroup("{x}y}z")
        let tags = try [keys.authority, keys.channel, keys.lease(group), keys.notes(group)].map { try tag(of: $0) }
        #expect(Set(tags).count == 1)
        #expect(LeaseKeys(prefix: prefix, part: 3).base.hasSuffix(":{3}:"))
        #expect(try tag(of: LeaseKeys(prefix: prefix, part: 3).authority) == "3")
    }

    @Test func differentPrefixesHaveDifferentTags() {
        let prefixes = ["a", "a}", "a%7D", "{a}", "%7Ba%7D", "a%", "a%25"]
        #expect(Set(prefixes.map { LeaseKeys(tagging: $0).base }).count == prefixes.count)
    }

    @Test func partsAreStableAndUsedEvenly() throws {
        #expect(
            LeaseKeys.part(of: try ElectionGroup("group 1"), among: 16)
                == LeaseKeys.part(of: try ElectionGroup("group 1"), among: 16)
        )
        var counts = Array(repeating: 0, count: 16)
        for number in 0..<1600 { counts[LeaseKeys.part(of: try ElectionGroup("group \(number)"), among: 16)] += 1 }
        #expect(counts.allSatisfy { (50...150).contains($0) }, "\(counts)")
    }

    @Test func wordsAreWhatPeopleWouldWrite() {
        let nonce = Nonce()
        #expect(String(decoding: LeaseWord.nonce(nonce), as: UTF8.self) == nonce.description)
        #expect(LeaseWord.nonce(nil as Nonce?) == [])
        #expect(String(decoding: LeaseWord.milliseconds(.nanoseconds(1_000_001)), as: UTF8.self) == "2")
        #expect(String(decoding: LeaseWord.number(Int64.max), as: UTF8.self) == "9223372036854775807")
    }

    @Test func optionsOfTheURLWin() throws {
        let given = ["prefix": "p", "wait-for-replicas": "2", "cluster-spread": "8", "quarantine": "off"]
        let options = try RedisElectionProvider.merge(given, into: RedisProviderOptions())
        let expected = RedisProviderOptions(
            prefix: "p",
            clusterLayout: .spread(over: 8),
            waitForReplicas: 2,
            isQuarantineOn: false
        )
        #expect(options == expected)
        for (name, value) in [("wait-for-replicas", "many"), ("cluster-spread", ""), ("quarantine", "maybe")] {
            #expect(throws: ElectionError.self) {
                try RedisElectionProvider.merge([name: value], into: RedisProviderOptions())
            }
        }
    }

    @Test func impossibleOptionsAreRefused() {
        let impossible = [
            RedisProviderOptions(prefix: ""), RedisProviderOptions(prefix: "a\nb"),
            RedisProviderOptions(prefix: String(repeating: "x", count: 101)), RedisProviderOptions(waitForReplicas: -1),
            RedisProviderOptions(waitForReplicas: 17), RedisProviderOptions(clusterLayout: .spread(over: 1)),
        ]
        for options in impossible { #expect(throws: ElectionError.self) { try options.validate() } }
    }

    @Test(arguments: [("a", "{a}:fence"), ("x{t}y", "x{t}y:fence"), ("a{b", "{a{b}:fence"), ("a}b", "a}b:fence")])
    func aFenceLiesBesideItsKey(key: String, fence: String) {
        #expect(RedisFence.fenceKey(of: key) == fence)
    }

    /// What a cluster hashes of a key.
    private func tag(of key: String) throws -> String {
        let open = try #require(key.firstIndex(of: "{"))
        let close = try #require(key[open...].firstIndex(of: "}"))
        #expect(key.index(after: open) < close)
        return String(key[key.index(after: open)..<close])
    }
}
#endif
