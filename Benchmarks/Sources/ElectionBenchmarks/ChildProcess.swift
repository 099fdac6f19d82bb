// SPDX-License-Identifier: MIT

internal import Foundation

/// A child process that runs this same program in another mode; told by lines on its standard input, it answers in
/// lines on its standard output.
final class ChildProcess: Sendable {
    /// The process identifier.
    let id: pid_t
    private let input: FileHandle

    /// Starts this program with the given arguments; `hear` is called for each line that it prints.
    init(arguments: [String], hear: @escaping @Sendable (String) -> Void) throws {
        let process = Process()
        let (input, output) = (Pipe(), Pipe())
        process.executableURL = Bundle.main.executableURL
        process.arguments = arguments
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        id = process.processIdentifier
        self.input = input.fileHandleForWriting
        // A thread a child: reading blocks, and it must not block a thread that tasks share.
        let reading = output.fileHandleForReading
        Thread.detachNewThread { [process] in
            var rest = Data()
            while true {
                let data = reading.availableData
                if data.isEmpty { break }
                rest.append(data)
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    hear(String(decoding: rest[..<end], as: UTF8.self))
                    rest = Data(rest[rest.index(after: end)...])
                }
            }
            process.waitUntilExit()
        }
    }

    /// Writes a line to the child's standard input; a child that has ended is not told.
    func send(_ line: String) {
        try? input.write(contentsOf: Data((line + "\n").utf8))
    }

    /// Sends a signal to this child and to nobody else.
    func signal(_ signal: Int32) {
        _ = kill(id, signal)
    }
}

/// What a parent writes to this process; ends when the parent does, so that no child is left over.
func linesFromParent() -> AsyncStream<String> {
    let (lines, continuation) = AsyncStream.makeStream(of: String.self)
    Thread.detachNewThread {
        while let line = readLine() { continuation.yield(line) }
        continuation.finish()
    }
    return lines
}

/// Prints a line at once, whatever standard output is.
func printLine(_ line: String) {
    try? FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8))
}
