// SPDX-License-Identifier: MIT
#if ZooKeeper
import LeaderElection
import Testing

@testable import LeaderElectionZooKeeper

@Suite
struct ContenderTests {
    private let nonce = Nonce(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210)

    @Test(arguments: ZooKeeperQueueNaming.allCases)
    func ownNamesAreReadBack(naming: ZooKeeperQueueNaming) throws {
        for sequence in ["0000000000", "0000000042", "2147483647", "-2147483648", "-0000000001"] {
            // The server writes negative numbers with a sign and ten digits at most.
            let node = try #require(Contender(naming.nodePrefix(nonce) + sequence))
            #expect(node.nonce == nonce)
            #expect(node.recipe == naming)
            #expect(node.sequence == Int32(sequence))
            #expect(node.name == naming.nodePrefix(nonce) + sequence)
        }
    }

    @Test(arguments: [
        "0123456789abcdeffedcba9876543210__lock__0000000042", "0123456789ABCDEFfedcba9876543210__lock__0000000042",
        "0123456789abcdeffedcba9876543210-latch-0000000042", "0123456789abcdeffedcba9876543210x-lock-0000000042",
        "0123456789abcdeffedcba98765432100000000042", "0123456789abcdeffedcba9876543210__lock__-0000000042",
        "é0000000042",
    ])
    func namesAreKeptToTheLetter(name: String) throws {
        #expect(try #require(Contender(name)).name == name)
    }

    @Test
    func namesOfOtherClientsAreRead() throws {
        let kazoo = try #require(Contender("b6a1f0e2c5d94f0e8a7b6c5d4e3f2a10__lock__0000000007"))
        #expect(kazoo.sequence == 7)
        #expect(kazoo.recipe == .kazoo)
        let latch = try #require(Contender("_c_4ad66055-8d9c-4b73-8c6b-cbc0b9a5b6e0-latch-0000000012"))
        #expect(latch.sequence == 12)
        #expect(latch.recipe == .curatorLatch)
        #expect(latch.nonce == nil)
        let lock = try #require(Contender("_c_4ad66055-8d9c-4b73-8c6b-cbc0b9a5b6e0-lock-0000000003"))
        #expect(lock.sequence == 3)
        #expect(lock.recipe == .curatorLock)
        #expect(Contender("n_0000000009")?.sequence == 9)
        #expect(Contender("n_0000000009")?.recipe == nil)
    }

    @Test(arguments: ["", "lease", "0000000001", "x__lock__000000001", "x__lock__00000000a1", "x__lock__9999999999"])
    func whatHasNoNumberTakesNoPart(name: String) {
        #expect(Contender(name) == nil)
    }

    @Test
    func theQueueIsOrderedByNumbersWhateverTheNames() {
        let names = [
            "f0000000000000000000000000000000__lock__0000000003",
            "_c_0ad66055-8d9c-4b73-8c6b-cbc0b9a5b6e0-latch-0000000001", "config",
            "00000000000000000000000000000000__lock__0000000010", "z-lock-0000000002",
        ]
        #expect(Contender.queue(names).map(\.sequence) == [1, 2, 3, 10])
    }

    @Test
    func theOrderOutlivesTheOverflowOfTheNumbers() {
        let names = ["a__lock__-2147483647", "b__lock__2147483646", "c__lock__-2147483648", "d__lock__2147483647"]
        #expect(Contender.queue(names).map(\.name.first) == ["b", "d", "c", "a"])
    }

    @Test
    func noTwoGroupsHaveOneNode() throws {
        let names = [
            "a", "a/b", "a%2Fb", ".", "..", "...", "%2E", "é", "e\u{301}", "🦊", "\u{FEFF}", " a", "a ", "%heartbeats",
            "zookeeper", "a.b", "\u{D7FF}", "\u{E000}",
        ]
        let nodes = try names.map { GroupPath.encode(try ElectionGroup($0)) }
        #expect(Set(nodes).count == names.count)
        #expect(!nodes.contains(GroupPath.heartbeats))
        for node in nodes {
            #expect(!node.contains("/"))
            #expect(node.unicodeScalars.allSatisfy { $0.isASCII })
            #expect(node != "." && node != "..")
        }
        #expect(nodes[0] == "a" && nodes[1] == "a%2Fb" && nodes[7] == "%C3%A9" && nodes[9] == "%F0%9F%A6%8A")
    }

    @Test
    func aRecordIsReadBack() throws {
        let candidate = Candidate(
            id: "Zoë \"quoted\"",
            incarnation: nonce,
            metadata: ["candidate": "not me", "": "empty", "metadata.x": "é"]
        )
        let node = try #require(Contender("x__lock__0000000001"))
        let record = CandidateRecord.decode(
            CandidateRecord.encode(candidate, leaseDuration: .milliseconds(2500)),
            node: node,
            stat: NodeStat(czxid: 77, ephemeralOwner: 5, version: 0),
            sessionTimeout: .seconds(9)
        )
        #expect(record.holder == candidate)
        #expect(record.term == 77)
        #expect(record.leaseDuration == .milliseconds(2500))
    }

    @Test(arguments: [
        ("host-1", "host-1"), ("", "x__lock__0000000001"), ("{}", "{}"), ("a\u{0}b", "x__lock__0000000001"),
    ])
    func aRecordOfAnotherClientNamesItsHolder(data: String, holder: String) throws {
        let record = CandidateRecord.decode(
            Array(data.utf8),
            node: try #require(Contender("x__lock__0000000001")),
            stat: NodeStat(czxid: 77, ephemeralOwner: 5, version: 0),
            sessionTimeout: .seconds(9)
        )
        #expect(record.holder.id == holder)
        #expect(record.term == 77)
        #expect(record.leaseDuration == .seconds(9))
    }
}
#endif
