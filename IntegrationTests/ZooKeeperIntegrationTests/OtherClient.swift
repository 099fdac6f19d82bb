// SPDX-License-Identifier: MIT
#if ZooKeeper
import Foundation
import IntegrationSupport
import Testing

/// A program in which another client takes part in an election.
final class OtherClient {
    private let process = Process()
    private let output: URL
    private let input = Pipe()
    private static let directory = URL(filePath: #filePath).deletingLastPathComponent()

    /// Where `scripts/servers` unpacks what it fetches.
    private static let fetched = Repository.servers.appending(path: "packages/zookeeper-clients").path
    private static let systemPackages = "usr/lib/python3/dist-packages"

    /// What the environment says, else what is in the path.
    private static let namedPython = ProcessInfo.processInfo.environment["ELECTION_PYTHON"]
    private static let kazooDirectory = ["\(fetched)/\(systemPackages)", "/\(systemPackages)"].first {
        FileManager.default.fileExists(atPath: "\($0)/kazoo/client.py")
    }
    static let hasKazoo = namedPython != nil || kazooDirectory != nil

    private static let jars = [
        "curator-recipes", "curator-framework", "curator-client", "guava", "zookeeper", "zookeeper-jute", "slf4j-api",
        "slf4j-nop", "netty-all", "failureaccess", "jackson-core", "jackson-databind", "jackson-annotations",
    ].compactMap { name in
        ["\(fetched)/usr/share/java/\(name).jar", "/usr/share/java/\(name).jar"].first {
            FileManager.default.fileExists(atPath: $0)
        }
    }
    static let hasCurator = jars.contains { $0.hasSuffix("/curator-recipes.jar") }

    static func kazoo(_ servers: String, _ path: String, _ name: String) throws -> OtherClient {
        try OtherClient(
            [namedPython ?? "python3", directory.appending(path: "kazoo_candidate.py").path, servers, path, name],
            environment: namedPython == nil ? ["PYTHONPATH": kazooDirectory ?? ""] : [:]
        )
    }

    /// - Parameter recipe: `latch` or `lock`.
    static func curator(_ servers: String, _ path: String, _ name: String, _ recipe: String) throws -> OtherClient {
        let source = directory.appending(path: "CuratorCandidate.java").path
        let classPath = jars.joined(separator: ":")
        return try OtherClient(
            ["java", "-XX:TieredStopAtLevel=1", "-cp", classPath, source, servers, path, name, recipe]
        )
    }

    private init(_ arguments: [String], environment: [String: String] = [:]) throws {
        output = FileManager.default.temporaryDirectory.appending(path: "candidate-\(UUID().uuidString)")
        _ = FileManager.default.createFile(atPath: output.path, contents: nil)
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = input
        process.standardOutput = try FileHandle(forWritingTo: output)
        try process.run()
    }

    deinit {
        if process.isRunning { process.terminate() }
        try? FileManager.default.removeItem(at: output)
    }

    func said(_ word: String) -> Bool {
        ((try? String(contentsOf: output, encoding: .utf8)) ?? "").split(separator: "\n").contains { $0 == word }
    }

    func end() { try? input.fileHandleForWriting.close() }
}

extension Trait where Self == ConditionTrait {
    /// Skips tests with another client where that is not installed; with `ELECTION_REQUIRE_BACKENDS=1` they fail.
    static func needsOther(_ client: String, _ isInstalled: Bool) -> Self {
        let text = "\(client) is not installed; have all servers and clients installed with: scripts/servers up all"
        return .enabled(Comment(rawValue: text)) {
            guard !isInstalled, Backend.areRequired else { return isInstalled }
            throw NotInstalled(description: text)
        }
    }
}

private struct NotInstalled: Error, CustomStringConvertible {
    let description: String
}
#endif
