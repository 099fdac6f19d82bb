// SPDX-License-Identifier: MIT
#if ZooKeeper
import LeaderElection
import Testing

@testable import LeaderElectionZooKeeper

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

@Suite
struct ZooKeeperURLTests {
    @Test
    func aWholeURL() throws {
        let settings = try ZooKeeperURL.settings(
            "zookeeper://bob:s%3Acr%40t@zk1:2182,zk2,[::1]:2183/a/b%20c?sessionTimeout=12s&tickTime=500ms"
                + "&naming=latch&createRoot=no",
            logger: nil
        )
        #expect(settings.servers == "zk1:2182,zk2:2181,[::1]:2183")
        #expect(settings.root == "/a/b c")
        #expect(settings.rootChain == ["/a", "/a/b c"])
        #expect(settings.credentials?.digest == "bob:s:cr@t")
        #expect("\(settings.credentials, default: "")" == "digest:bob")
        #expect(settings.sessionTimeout == .seconds(12))
        #expect(settings.tickTime == .milliseconds(500))
        #expect(settings.naming == .curatorLatch)
        #expect(!settings.createRoot)
    }

    @Test
    func whatIsLeftOutHasDefaults() throws {
        for url in ["zookeeper://zk1", "ZooKeeper://zk1:2181/"] {
            let settings = try ZooKeeperURL.settings(url, logger: nil)
            #expect(settings.servers == "zk1:2181")
            #expect(settings.root == "/leader-election")
            #expect(settings.credentials == nil && settings.sessionTimeout == nil)
            #expect(settings.tickTime == .seconds(2) && settings.naming == .kazoo && settings.createRoot)
        }
        let provider = try ZooKeeperElectionProvider("zookeeper://zk1")
        #expect(provider.guarantees.minimumLeaseDuration == .seconds(6), "three ticks")
        #expect(provider.guarantees.queuesCandidates)
    }

    @Test
    func credentialsOfTheEnvironment() throws {
        setenv("ELECTION_TEST_ZK", "carol:p@ss:word", 1)
        defer { unsetenv("ELECTION_TEST_ZK") }
        let settings = try ZooKeeperURL.settings("zookeeper://h/r?credentials=ELECTION_TEST_ZK", logger: nil)
        #expect(settings.credentials?.digest == "carol:p@ss:word")
        #expect(throws: ElectionError.self) {
            try ZooKeeperURL.settings("zookeeper://h/r?credentials=ELECTION_TEST_NOT_SET", logger: nil)
        }
        #expect(throws: ElectionError.self) {
            try ZooKeeperURL.settings("zookeeper://a:b@h/r?credentials=ELECTION_TEST_ZK", logger: nil)
        }
    }

    @Test(arguments: [
        "zookeeper:", "zookeeper://", "zookeeper:///root", "zookeeper://h:0/r", "zookeeper://h:x/r",
        "zookeeper://h,,g/r",
        "zookeeper://h/zookeeper", "zookeeper://h/../x", "zookeeper://h/a%zz", "zookeeper://h/r?x=1",
        "zookeeper://h/r?naming",
        "zookeeper://h/r?naming=x", "zookeeper://h/r?tickTime=2", "zookeeper://h/r?tickTime=0s",
        "zookeeper://h/r?tickTime=5m",
        "zookeeper://h/r?sessionTimeout=5s", "zookeeper://h/r?createRoot=maybe", "zookeeper://h/r#x",
        "zookeeper://hunter2@h/r",
        "zookeeper://user:hunter2@h h/r", "zookeeper://user:hunt/er2@h/r", "zookeeper://user:hunter2@h/r?tls=yes",
        "zookeeper://user:hunter2@h/r?sasl=yes", "zookeeper://:hunter2@h/r", "zookeeper://user:hunter2%@h/r",
    ])
    func whatCannotBeUsedIsRefusedWithoutBeingShown(url: String) throws {
        let error = try #require(throws: ElectionError.self) { try ZooKeeperURL.settings(url, logger: nil) }
        #expect(error.code == .invalidConfiguration)
        #expect(!error.message.contains("hunt"))
    }

    @Test
    func aLeaseMustHaveThreeTicks() throws {
        let provider = try ZooKeeperElectionProvider("zookeeper://h/r?tickTime=500ms")
        let group = try ElectionGroup("g")
        try provider.validate(group, leaseDuration: .milliseconds(1500))
        let error = try #require(throws: ElectionError.self) {
            try provider.validate(group, leaseDuration: .milliseconds(1499))
        }
        #expect(error.code == .invalidConfiguration)
    }
}
#endif
