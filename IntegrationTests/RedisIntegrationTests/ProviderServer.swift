// SPDX-License-Identifier: MIT
#if Redis
import Foundation
import LeaderElection
import Synchronization
import Testing

@testable import LeaderElectionRedis

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A Redis server of one test alone, with any configuration; it ends with the value.
final class OwnRedis: Sendable {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    let port: UInt16
    private let directory: URL
    private let options: [String]
    private let environment: [String: String]
    private let process = Mutex<Process?>(nil)

    static let program = ["/usr/bin/redis-server", "/usr/local/bin/redis-server", "/opt/homebrew/bin/redis-server"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    /// - Parameter options: lines of the configuration, besides port, address and directory.
    init(_ options: [String] = ["save \"\"", "appendonly no"], environment: [String: String] = [:]) async throws {
        self.options = options
        self.environment = environment
        directory = FileManager.default.temporaryDirectory.appending(path: "own-redis-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        var failure: any Error = Failure(description: "no port is free")
        for _ in 0..<20 {
            let port = UInt16.random(in: 22_600...22_999)
            do {
                process.withLock { _ in }
                let started = try await Self.launch(port, directory, options, environment)
                self.port = port
                process.withLock { $0 = started }
                return
            } catch { failure = error }
        }
        throw failure
    }

    deinit {
        process.withLock { process in
            guard let process, process.isRunning else { return }
            Glibc.kill(process.processIdentifier, SIGCONT)
            Glibc.kill(process.processIdentifier, SIGKILL)
        }
        try? FileManager.default.removeItem(at: directory)
    }

    private static func launch(
        _ port: UInt16,
        _ directory: URL,
        _ options: [String],
        _ environment: [String: String]
    ) async throws -> Process {
        guard let program else { throw Failure(description: "redis-server is not installed") }
        let config = directory.appending(path: "redis.conf")
        // Without one for the cluster it would be among those that the system gives to outgoing connections.
        let address = ["port \(port)", "cluster-port \(port - 400)", "bind 127.0.0.1"]
        let lines = address + ["dir \(directory.path)", "loglevel warning"] + options
        try (lines.joined(separator: "\n") + "\n").write(to: config, atomically: true, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = [config.path]
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        try Self.guardAgainstOrphans(process.processIdentifier, directory)
        for _ in 0..<2_000 {
            // Another server may have the port, and this one be about to end because of that.
            if let answer = try? await cli(port, ["info", "server"]),
                answer.contains("process_id:\(process.processIdentifier)\r")
            {
                return process
            }
            guard process.isRunning else { break }
            await pass(.milliseconds(5))
        }
        throw Failure(description: "redis-server on port \(port) did not come up")
    }

    /// Ends the server and removes its directory when the test process is gone, however that ended.
    private static func guardAgainstOrphans(_ server: pid_t, _ directory: URL) throws {
        let script = """
            while kill -0 $1 2>/dev/null && kill -0 $0 2>/dev/null; do sleep 1; done
            kill -0 $0 2>/dev/null || { kill -CONT $1; kill -KILL $1; rm -rf "$2"; } 2>/dev/null
            """
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", script, "\(getpid())", "\(server)", directory.path]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    var pid: pid_t { process.withLock { $0?.processIdentifier ?? 0 } }
    var url: String { "redis://127.0.0.1:\(port)/0" }

    func signal(_ signal: Int32) { Glibc.kill(pid, signal) }

    /// Ends it without a goodbye.
    func kill() async throws {
        signal(SIGCONT)
        signal(SIGKILL)
        while process.withLock({ $0?.isRunning ?? false }) { await pass(.milliseconds(2)) }
    }

    /// Starts it again where it was, with what its directory holds.
    func start() async throws {
        let started = try await Self.launch(port, directory, options, environment)
        process.withLock { $0 = started }
    }

    @discardableResult
    func cli(_ words: String...) async throws -> String { try await Self.cli(port, words) }

    /// What redis-cli prints; no thread waits for it, because tests share few of them.
    @discardableResult
    static func cli(_ port: UInt16, _ words: [String]) async throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["redis-cli", "-p", "\(port)"] + words
        let output = FileManager.default.temporaryDirectory.appending(path: "cli-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: output) }
        _ = FileManager.default.createFile(atPath: output.path, contents: nil)
        let handle = try FileHandle(forWritingTo: output)
        defer { try? handle.close() }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = handle
        process.standardError = handle
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            process.terminationHandler = { _ in done.resume() }
            do { try process.run() } catch {
                process.terminationHandler = nil
                done.resume(throwing: error)
            }
        }
        return try String(contentsOf: output, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Seconds since it started, as it says.
    func uptime() async throws -> Int {
        let line = try await cli("info", "server").split(whereSeparator: \.isNewline)
            .first { $0.hasPrefix("uptime_in_seconds:") }
        return line.flatMap { Int($0.split(separator: ":")[1]) } ?? 0
    }

    /// Returns when so much time has passed since its start that a new prefix counts as fresh.
    func grow(older than: Int = 3) async throws {
        while try await uptime() <= than { await pass(.milliseconds(50)) }
    }

    func settings() -> RedisSettings {
        var settings = RedisSettings(host: "127.0.0.1", port: Int(port))
        settings.connectTimeout = .seconds(2)
        return settings
    }

    func provider(_ options: RedisProviderOptions = RedisProviderOptions()) throws -> RedisElectionProvider {
        try RedisElectionProvider(settings(), options: options)
    }
}

/// Lets the wall clock of a server jump, by a small library that is loaded into it.
final class MovedClock: Sendable {
    private let directory: URL
    private var library: String { directory.appending(path: "clock.so").path }
    private var file: URL { directory.appending(path: "offset") }

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "clock-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let source = directory.appending(path: "clock.c")
        try Self.source.write(to: source, atomically: true, encoding: .utf8)
        try move(by: 0)
        let compiler = try Process.run(
            URL(filePath: "/usr/bin/cc"),
            arguments: ["-shared", "-fPIC", "-O1", "-o", library, source.path]
        )
        compiler.waitUntilExit()
        guard compiler.terminationStatus == 0 else { throw OwnRedis.Failure(description: "the compiler failed") }
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    var environment: [String: String] { ["LD_PRELOAD": library, "CLOCK_OFFSET_FILE": file.path] }

    func move(by seconds: Int) throws { try "\(seconds)".write(to: file, atomically: false, encoding: .utf8) }

    private static let source = """
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <stdlib.h>
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <time.h>
        #include <unistd.h>
        int gettimeofday(struct timeval *time, void *zone) {
            struct timespec now;
            char text[32];
            const char *file = getenv("CLOCK_OFFSET_FILE");
            int descriptor = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
            ssize_t count = descriptor < 0 ? 0 : read(descriptor, text, sizeof text - 1);
            if (descriptor >= 0) close(descriptor);
            text[count > 0 ? count : 0] = 0;
            syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
            time->tv_sec = now.tv_sec + atol(text);
            time->tv_usec = now.tv_nsec / 1000;
            return 0;
        }
        """
}

extension Trait where Self == ConditionTrait {
    /// Skips tests that start servers of their own where Redis is not installed, and fails them on a build machine.
    static var needsOwnRedis: Self {
        .enabled("redis-server is not installed; install it with: apt-get install redis-server") {
            if OwnRedis.program != nil { return true }
            guard ProcessInfo.processInfo.environment["ELECTION_REQUIRE_BACKENDS"] == "1" else { return false }
            throw OwnRedis.Failure(description: "redis-server is not installed")
        }
    }
}

/// Runs tests on a thread of their own: others of the same process may keep all common threads busy for seconds, and
/// leases go on meanwhile.
struct OwnThread: SuiteTrait, TestTrait, TestScoping {
    private static let thread = SerialThread(name: "redis-tests")

    var isRecursive: Bool { true }

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable @concurrent () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(Self.thread) { try await function() }
    }
}

extension Trait where Self == OwnThread {
    static var ownThread: Self { OwnThread() }
}

/// Lets so much time pass, to the millisecond.
func pass(_ duration: Duration) async {
    await withCheckedContinuation { continuation in
        _ = SystemClock().schedule(at: .now + duration) { continuation.resume() }
    }
}

/// One server for tests that do not break it, started when the first of them needs it.
enum SharedRedis {
    private actor Starter {
        private var task: Task<OwnRedis, any Error>?

        func server() async throws -> OwnRedis {
            if let task { return try await task.value }
            let task = Task {
                let server = try await OwnRedis()
                try await server.grow(older: 5)
                return server
            }
            self.task = task
            return try await task.value
        }
    }

    private static let starter = Starter()

    static func server() async throws -> OwnRedis { try await starter.server() }
}

/// Requests of one candidate for one group after another.
struct Claimant {
    let provider: RedisElectionProvider
    var lease = Duration.seconds(2)
    var candidate = Candidate(id: "candidate", incarnation: Nonce(), metadata: ["a": "b"])

    init(_ provider: RedisElectionProvider, lease: Duration = .seconds(2)) {
        self.provider = provider
        self.lease = lease
    }

    func acquire(
        _ group: String,
        nonce: Nonce = Nonce(),
        previous: Nonce? = nil,
        observed: LeaseVersion? = nil,
        timeout: Duration = .seconds(2)
    ) async throws -> AcquireAnswer {
        let request = AcquireRequest(
            group: try ElectionGroup(group),
            candidate: candidate,
            nonce: nonce,
            previousNonce: previous,
            observed: observed,
            leaseDuration: lease,
            timeout: timeout
        )
        return try #require(try await provider.acquire([request]).first)
    }

    /// The term of a grant that must succeed, after the delays that the provider asks for.
    func term(_ group: String, nonce: Nonce = Nonce(), previous: Nonce? = nil) async throws -> Int64 {
        for _ in 0..<20 {
            switch try await acquire(group, nonce: nonce, previous: previous) {
            case .granted(let term, _): return term
            case .deferred(let delay, _): await pass(delay)
            // Too few replicas, for instance: the same nonce may ask again.
            case .unknown: await pass(.milliseconds(50))
            case let answer: throw OwnRedis.Failure(description: "\(group) was answered \(answer)")
            }
        }
        throw OwnRedis.Failure(description: "\(group) is deferred for ever")
    }

    func renew(_ group: String, _ nonce: Nonce, _ term: Int64, timeout: Duration = .seconds(2)) async throws
        -> RenewAnswer
    {
        let request = RenewRequest(
            group: try ElectionGroup(group),
            nonce: nonce,
            term: term,
            leaseDuration: lease,
            timeout: timeout
        )
        return try #require(try await provider.renew([request]).first)
    }

    func release(_ group: String, _ nonce: Nonce, _ term: Int64?) async throws -> ReleaseAnswer {
        let request = ReleaseRequest(group: try ElectionGroup(group), nonce: nonce, term: term, timeout: .seconds(2))
        return try #require(try await provider.release([request]).first)
    }
}

/// Waits for a condition, looking often; false if it does not come true in time.
func eventually(within seconds: Double = 20, _ condition: () async throws -> Bool) async throws -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while !(try await condition()) {
        if ContinuousClock.now >= end { return try await condition() }
        await pass(.milliseconds(5))
    }
    return true
}
#endif
