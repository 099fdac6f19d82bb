// SPDX-License-Identifier: MIT

package import Foundation

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// One run of the built `elect`.
package final class ElectProcess {
    private let process = Process()
    private let output: URL
    private let errors: URL

    /// The program beside this test bundle.
    package static let program: URL = {
        var path = [CChar](repeating: 0, count: 4097)
        let count = readlink("/proc/self/exe", &path, 4096)
        let own = URL(
            filePath: String(decoding: path.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        )
        return own.deletingLastPathComponent().appending(path: "elect")
    }()

    package init(
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

    package var pid: pid_t { process.processIdentifier }
    package var isRunning: Bool { process.isRunning }
    package var standardOutput: String { (try? String(contentsOf: output, encoding: .utf8)) ?? "" }
    package var standardError: String { (try? String(contentsOf: errors, encoding: .utf8)) ?? "" }

    package func send(_ signal: Int32) { kill(pid, signal) }

    /// The exit code, or 128 and the number of the signal; nil if it goes on for longer than that.
    package func exitCode(within seconds: Double = 20) async throws -> Int32? {
        guard try await eventually(within: seconds, { !self.process.isRunning }) else { return nil }
        let isSignalled = process.terminationReason == .uncaughtSignal
        return isSignalled ? 128 + process.terminationStatus : process.terminationStatus
    }

    /// The guardian of the present term.
    package var guardian: pid_t? { guardians.first }

    /// The guardians of the present term and of health checks.
    package var guardians: [pid_t] {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
        let children = tasks.flatMap { task in
            (try? String(contentsOfFile: "/proc/\(pid)/task/\(task)/children", encoding: .utf8))?
                .split(separator: " ").compactMap { pid_t($0) } ?? []
        }
        return children.filter { child in
            (try? String(contentsOfFile: "/proc/\(child)/comm", encoding: .utf8)) == "elect-guardian\n"
        }
    }
}

/// A directory that goes away with the test.
package final class Directory {
    package let url: URL

    package init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "elect-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    package func lines(of name: String) -> [String] {
        let text = (try? String(contentsOf: url.appending(path: name), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map { String($0) }
    }

    package func write(_ text: String, to name: String) throws {
        try text.write(to: url.appending(path: name), atomically: true, encoding: .utf8)
    }
}

/// Whether a process is there and not just waiting to be reaped.
package func isAlive(_ pid: pid_t) -> Bool {
    guard let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8) else { return false }
    return !status.contains("State:\tZ") && !status.contains("State:\tX")
}

/// Waits for a condition, looking often; false if it does not come true in time.
package func eventually(within seconds: Double = 20, _ condition: () -> Bool) async throws -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while !condition() {
        if ContinuousClock.now >= end { return condition() }
        try await Task.sleep(for: .milliseconds(2))
    }
    return true
}
