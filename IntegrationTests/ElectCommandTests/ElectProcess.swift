// SPDX-License-Identifier: MIT

import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// One run of the built `elect`.
final class ElectProcess {
    private let process = Process()
    private let output: URL
    private let errors: URL

    /// The program beside this test bundle.
    static let program: URL = {
        var path = [CChar](repeating: 0, count: 4097)
        let count = readlink("/proc/self/exe", &path, 4096)
        let own = URL(
            filePath: String(decoding: path.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        )
        return own.deletingLastPathComponent().appending(path: "elect")
    }()

    init(
        _ arguments: [String],
        in directory: Directory,
        environment: [String: String] = [:],
        program: URL = ElectProcess.program
    ) throws {
        let name = "elect-\(UInt32.random(in: 0 ... .max))"
        output = directory.url.appending(path: name + ".out")
        errors = directory.url.appending(path: name + ".err")
        for file in [output, errors] { _ = FileManager.default.createFile(atPath: file.path, contents: nil) }
        process.executableURL = program
        process.arguments = arguments
        process.currentDirectoryURL = directory.url
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
    }

    deinit {
        if process.isRunning {
            kill(pid, SIGCONT)
            kill(pid, SIGKILL)
        }
    }

    var pid: pid_t { process.processIdentifier }
    var isRunning: Bool { process.isRunning }
    var standardOutput: String { (try? String(contentsOf: output, encoding: .utf8)) ?? "" }
    var standardError: String { (try? String(contentsOf: errors, encoding: .utf8)) ?? "" }

    func send(_ signal: Int32) { kill(pid, signal) }

    /// The exit code, or 128 and the number of the signal; nil if it goes on for longer than that.
    func exitCode(within seconds: Double = 20) async throws -> Int32? {
        guard try await eventually(within: seconds, { !self.process.isRunning }) else { return nil }
        let isSignalled = process.terminationReason == .uncaughtSignal
        return isSignalled ? 128 + process.terminationStatus : process.terminationStatus
    }

    /// The guardian of the present term.
    var guardian: pid_t? {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
        let children = tasks.flatMap { task in
            (try? String(contentsOfFile: "/proc/\(pid)/task/\(task)/children", encoding: .utf8))?
                .split(separator: " ").compactMap { pid_t($0) } ?? []
        }
        return children.first { child in
            (try? String(contentsOfFile: "/proc/\(child)/comm", encoding: .utf8)) == "elect-guardian\n"
        }
    }
}

/// A directory that goes away with the test.
final class Directory {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "elect-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func lines(of name: String) -> [String] {
        let text = (try? String(contentsOf: url.appending(path: name), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map { String($0) }
    }

    func write(_ text: String, to name: String) throws {
        try text.write(to: url.appending(path: name), atomically: true, encoding: .utf8)
    }
}

/// Whether a process is there and not just waiting to be reaped.
func isAlive(_ pid: pid_t) -> Bool {
    guard let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8) else { return false }
    return !status.contains("State:\tZ") && !status.contains("State:\tX")
}

/// Waits for a condition, looking often; false if it does not come true in time.
func eventually(within seconds: Double = 20, _ condition: () -> Bool) async throws -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while !condition() {
        if ContinuousClock.now >= end { return condition() }
        try await Task.sleep(for: .milliseconds(2))
    }
    return true
}
