// SPDX-License-Identifier: MIT
#if ZooKeeper
import Foundation
import Testing

/// A program in which another client takes part in an election.
final class OtherClient {
    private let process = Process()
    private let output: URL
    private let input = Pipe()
    private static let directory = URL(filePath: #filePath).deletingLastPathComponent()

    /// Python with kazoo: what the environment says, else what is in the path.
    private static var python: String { ProcessInfo.processInfo.environment["ELECTION_PYTHON"] ?? "python3" }
    static let howToInstallKazoo: Comment =
        "kazoo is not installed: pip install kazoo, and name its python in ELECTION_PYTHON"
    static let hasKazoo: Bool = {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [python, "-c", "import kazoo"]
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()

    private static let jars = [
        "curator-recipes", "curator-framework", "curator-client", "guava", "zookeeper", "zookeeper-jute", "slf4j-api",
        "slf4j-nop", "netty-all", "failureaccess",
    ].map { "/usr/share/java/\($0).jar" }
    static let howToInstallCurator: Comment = "Curator is not installed: apt-get install libcurator-recipes-java"
    static let hasCurator: Bool =
        FileManager.default.fileExists(atPath: jars[0])
        && FileManager.default.isExecutableFile(atPath: "/usr/bin/javac")

    static func kazoo(_ servers: String, _ path: String, _ name: String) throws -> OtherClient {
        try OtherClient([python, directory.appending(path: "kazoo_candidate.py").path, servers, path, name])
    }

    /// - Parameter recipe: `latch` or `lock`.
    static func curator(_ servers: String, _ path: String, _ name: String, _ recipe: String) throws -> OtherClient {
        let jars = jars.filter { FileManager.default.fileExists(atPath: $0) }.joined(separator: ":")
        let source = directory.appending(path: "CuratorCandidate.java").path
        return try OtherClient(["java", "-XX:TieredStopAtLevel=1", "-cp", jars, source, servers, path, name, recipe])
    }

    private init(_ arguments: [String]) throws {
        output = FileManager.default.temporaryDirectory.appending(path: "candidate-\(UUID().uuidString)")
        _ = FileManager.default.createFile(atPath: output.path, contents: nil)
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = arguments
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
#endif
