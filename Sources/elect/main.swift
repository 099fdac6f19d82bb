// SPDX-License-Identifier: MIT

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
