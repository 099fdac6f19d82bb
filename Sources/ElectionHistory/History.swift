// SPDX-License-Identifier: MIT

#if canImport(FoundationEssentials)
package import FoundationEssentials
#else
package import Foundation
#endif

/// What several processes wrote down, of one machine since one boot: all on one clock.
package struct History: Sendable {
    /// One process, or all that wrote into one file without saying who they are.
    package struct Process: Sendable {
        package var name: String
        /// In the order in which they were written.
        package var lines: [HistoryLine]

        package init(name: String, lines: [HistoryLine]) {
            self.name = name
            self.lines = lines
        }
    }

    /// A file that is not a history.
    package struct Unreadable: Error, CustomStringConvertible {
        package var description: String
    }

    package var processes: [Process]

    package init(processes: [Process]) { self.processes = processes }

    /// Reads files; a last line without an end is still being written, and left out.
    ///
    /// - Throws: ``Unreadable``, which names the file and the line.
    package init(files: [URL]) throws {
        processes = try files.flatMap { file in Self.processes(try Self.lines(of: file), of: file) }
    }

    /// The groups that anything is known of, in order.
    package var groups: [String] { Set(processes.flatMap { $0.lines.map(\.group) }).sorted() }

    /// The same history as far as it concerns one group, without processes that had nothing to do with it.
    package func only(_ group: String) -> History {
        History(
            processes: processes.compactMap { process in
                let lines = process.lines.filter { $0.group == group }
                return lines.isEmpty ? nil : Process(name: process.name, lines: lines)
            }
        )
    }

    private static func lines(of file: URL) throws -> [HistoryLine] {
        let data: Data
        do {
            data = try Data(contentsOf: file)
        } catch {
            throw Unreadable(description: "cannot read \(file.path); check that it exists and is readable")
        }
        let decoder = JSONDecoder()
        let newline = UInt8(ascii: "\n")
        guard let end = data.lastIndex(of: newline) else { return [] }
        return try data[..<end].split(separator: newline, omittingEmptySubsequences: false).enumerated()
            .filter { !$0.element.isEmpty }
            .map { number, line in
                do {
                    return try decoder.decode(HistoryLine.self, from: Data(line))
                } catch {
                    throw Unreadable(
                        description: "\(file.path), line \(number + 1), is not a line of --history; name files that "
                            + "elect has written"
                    )
                }
            }
    }

    /// Candidates that share a file are told apart if every line says whose it is.
    private static func processes(_ lines: [HistoryLine], of file: URL) -> [Process] {
        let candidates = Set(lines.map(\.candidate))
        guard !candidates.contains(nil), candidates.count > 1 else {
            let names = candidates.compactMap(\.self)
            return [Process(name: names.count == 1 ? names[0] : file.lastPathComponent, lines: lines)]
        }
        return Dictionary(grouping: lines) { $0.candidate ?? "" }.sorted { $0.key < $1.key }
            .map { Process(name: $0.key, lines: $0.value) }
    }
}
