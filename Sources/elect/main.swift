// SPDX-License-Identifier: MIT

internal import ArgumentParser
internal import CElectCommand
internal import CElectionSystem

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

#if os(Linux)
// Before anything else, so that the guardian starts fast and stays a process with one thread.
if CommandLine.arguments.dropFirst().first == GuardianProcess.argument {
    exit(GuardianProcess.main(Array(CommandLine.arguments.dropFirst(2))))
}
#endif

if elect_catch_stop_signals() != 0 {
    Output.complain("no file descriptor left")
    exit(71)
}

@MainActor
func runCommand() async throws {
    var command = try Elect.parseAsRoot()
    if var command = command as? any AsyncParsableCommand {
        try await command.run()
    } else {
        try command.run()
    }
}

do {
    try await runCommand()
} catch let failure as CommandFailure {
    if !failure.message.isEmpty { Output.complain(failure.message) }
    exit(failure.code)
} catch {
    Elect.exit(withError: error)
}
