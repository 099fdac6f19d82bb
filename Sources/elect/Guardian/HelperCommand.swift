// SPDX-License-Identifier: MIT

internal import CElectCommand
internal import LeaderElection
internal import LeaderElectionConfiguration

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// A command of which only the exit code counts, such as that of `--health-check`.
///
/// A shell runs it under a guardian, as `elect run` does with its command: whatever happens, nothing of it is left when
/// its time is up. Standard output belongs to events, so what it prints there goes to standard error.
struct HelperCommand: Sendable {
    /// How it ended, if not with 0.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// How long the guardian may take to kill before its own turn comes.
    private static let patience = Duration.milliseconds(500)

    private let text: String
    // Taken before a provider raises it for itself.
    private let openFiles = elect_open_files_limit()

    /// - Parameter source: what the author of the text calls it.
    init(_ text: String, source: String) throws {
        #if os(Linux)
        guard !text.allSatisfy(\.isWhitespace) else {
            throw CommandFailure.usage("\(source): there is no command in it; give one, such as 'curl -f localhost:80'")
        }
        self.text = text
        #else
        throw CommandFailure.unavailable("\(source) needs Linux: it relies on how Linux keeps processes together")
        #endif
    }

    /// Returns when it has ended with 0.
    ///
    /// - Parameters:
    ///   - limit: when it has not ended by then, or the task is cancelled, it is killed with all that it has started.
    ///   - environment: added to this process' own.
    /// - Throws: ``Failure``; an `ElectionError` if it cannot be started.
    func run(within limit: Duration, environment: [String: String]) async throws {
        #if os(Linux)
        let patience = Self.patience.wholeNanoseconds
        let guarded = try GuardedCommand(
            ["/bin/sh", "-c", #"exec /bin/sh -c "$1" </dev/null >&2"#, "sh", text],
            environment: environment,
            locks: [],
            budgets: GuardianPlan.Budgets(term: patience, kill: patience, shutdown: 0),
            openFiles: openFiles,
            deadline: .now + limit + Self.patience
        )
        let end = await withTaskCancellationHandler {
            await guarded.waitForEnd { _ in }
        } onCancel: {
            guarded.kill()
        }
        switch end {
        case .ended(0, 0, .itself): return
        case .ended(let code, 0, .itself): throw Failure(description: "it ended with \(code)")
        case .ended(_, let signal, .itself): throw Failure(description: "it was ended by signal \(signal)")
        case .ended, .tooLate:
            throw Failure(description: "it had not ended after \(DurationText.format(limit)) and was killed")
        case .cannotRun(let error):
            throw Failure(description: "cannot run /bin/sh: \(String(cString: strerror(error)))")
        case .guardianLost: throw Failure(description: "its guardian was killed or hung, so it was killed")
        }
        #endif
    }
}
