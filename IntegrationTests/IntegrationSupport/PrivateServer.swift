// SPDX-License-Identifier: MIT

internal import Foundation
internal import Synchronization

/// Servers of one test alone, which it may kill, stop, restart and empty without disturbing others.
///
///     try await PrivateServer.with(.redis) { server in
///         try await server.kill()
///         …
///     }
///
/// They end with the body, also when it throws, and with the process, also when that is killed.
package struct PrivateServer: Sendable {
    package let backends: [Backend]
    private let instance: String
    private let isDurable: Bool
    private let portBase: UInt16

    /// Starts servers with ports and directories of their own, runs the body, and removes them.
    ///
    /// - Parameter durable: Redis keeps its data over a restart and a kill; PostgreSQL always does.
    package static func with<Result>(
        _ backends: Backend...,
        durable: Bool = false,
        _ body: (PrivateServer) async throws -> Result
    ) async throws -> Result {
        let instance = "test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let options = ["--instance", instance, "--owner", "\(getpid())"] + (durable ? ["--durable"] : [])
        do {
            try await Script.servers(options + ["up"] + backends.map(\.rawValue))
            let ports = try await Script.servers(["--instance", instance, "port-base"])
            guard let base = UInt16(ports.trimmingCharacters(in: .whitespacesAndNewlines)) else {
                throw Script.Failure(description: "scripts/servers port-base said \"\(ports)\"")
            }
            let server = PrivateServer(backends: backends, instance: instance, isDurable: durable, portBase: base)
            let result = try await body(server)
            try await Script.servers(["--instance", instance, "down"])
            return result
        } catch {
            _ = try? await Script.servers(["--instance", instance, "down"])
            throw error
        }
    }

    private init(backends: [Backend], instance: String, isDurable: Bool, portBase: UInt16) {
        self.backends = backends
        self.instance = instance
        self.isDurable = isDurable
        self.portBase = portBase
    }

    /// The URL of its own server.
    package func url(of backend: Backend) -> String { backend.url(portBase: portBase) }
    package var url: String { url(of: backends[0]) }
    package func port(of backend: Backend) -> UInt16 { portBase + backend.offsets[0] }
    package var port: UInt16 { port(of: backends[0]) }

    /// Starts what has ended, and lets what was frozen go on; returns when it answers.
    package func start(_ names: String...) async throws { try await run("up", names) }
    /// Ends it as its operator would.
    package func stop(_ names: String...) async throws { try await run("down", names) }
    /// SIGKILL to all of its processes; returns when they are gone.
    package func kill(_ names: String...) async throws { try await run("kill", names) }
    /// SIGSTOP: connections stay open, nothing answers.
    package func freeze(_ names: String...) async throws { try await run("stop", names) }
    /// SIGCONT.
    package func thaw(_ names: String...) async throws { try await run("cont", names) }
    /// Ends it and starts it again; Redis forgets everything unless it is durable.
    package func restart(_ names: String...) async throws { try await run("restart", names) }
    /// Ends it and removes its data; `start` then begins with nothing.
    package func wipe(_ names: String...) async throws { try await run("wipe", names) }
    /// What it wrote since it was made.
    package func log(_ names: String...) async throws -> String { try await run("logs", names) }

    /// Has one server of a ZooKeeper ensemble reach others, while they lead, through a port, from its next start on.
    package func route(_ name: String, _ ports: [Int: UInt16]) async throws {
        let routes = ports.map { "\($0.key)=\($0.value)" }
        try await Script.servers(["--instance", instance, "route", name] + routes)
    }

    /// Of each ZooKeeper server what it is now; nothing for one that does not serve.
    package func modes() async throws -> [String: String] {
        let lines = try await run("mode", []).split(separator: "\n").map { $0.split(separator: " ") }
        return Dictionary(lines.map { (String($0[0]), $0.count > 1 ? String($0[1]) : "") }) { $1 }
    }

    /// Runs SQL as the administrator; rows as lines, columns separated by `|`.
    @discardableResult
    package func sql(_ text: String) async throws -> String {
        try await Script.servers(["--instance", instance, "sql", "-c", text])
    }

    /// Runs one Redis command as the administrator; the answer as redis-cli prints it to a pipe.
    @discardableResult
    package func redis(_ command: String..., on name: String? = nil) async throws -> String {
        try await Script.servers(["--instance", instance, "cli", name ?? backends[0].rawValue] + command)
    }

    @discardableResult
    private func run(_ command: String, _ names: [String]) async throws -> String {
        let names = names.isEmpty ? backends.map(\.rawValue) : names
        return try await Script.servers(
            ["--instance", instance] + (isDurable ? ["--durable"] : []) + [command] + names
        )
    }
}

extension Backend {
    /// Runs SQL as the administrator of the common set.
    @discardableResult
    package static func sql(_ text: String) async throws -> String { try await Script.servers(["sql", "-c", text]) }

    /// Runs one Redis command as the administrator of a server of the common set.
    @discardableResult
    package func redis(_ command: String...) async throws -> String {
        try await Script.servers(["cli", rawValue] + command)
    }
}

/// The scripts of this repository.
enum Script {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// Runs `scripts/servers` and returns what it printed.
    @discardableResult
    static func servers(_ arguments: [String]) async throws -> String {
        let files = FileManager.default
        let output = files.temporaryDirectory.appending(path: "servers-\(UUID().uuidString)")
        defer { try? files.removeItem(at: output) }
        guard files.createFile(atPath: output.path, contents: nil) else {
            throw Failure(description: "cannot write \(output.path)")
        }
        let process = Process()
        process.executableURL = Repository.root.appending(path: "scripts/servers")
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        // Servers live on behind the script: a pipe would never end.
        let handle = try FileHandle(forWritingTo: output)
        defer { try? handle.close() }
        process.standardOutput = handle
        let complaints = output.appendingPathExtension("err")
        _ = files.createFile(atPath: complaints.path, contents: nil)
        defer { try? files.removeItem(at: complaints) }
        let errors = try FileHandle(forWritingTo: complaints)
        defer { try? errors.close() }
        process.standardError = errors
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            process.terminationHandler = { _ in done.resume() }
            do { try process.run() } catch {
                process.terminationHandler = nil
                done.resume(throwing: error)
            }
        }
        guard process.terminationStatus == 0 else {
            let said = (try? String(contentsOf: complaints, encoding: .utf8)) ?? ""
            throw Failure(description: "scripts/servers \(arguments.joined(separator: " ")) failed: \(said)")
        }
        return try String(contentsOf: output, encoding: .utf8)
    }
}
