// SPDX-License-Identifier: MIT

internal import LeaderElection

/// One note as it lies in its file: a few lines that say how long it is kept, then its text.
struct NoteFile: Hashable, Sendable {
    /// Within which `deadline` can be compared with the boot clock; nil if the writer could not tell.
    var domain: String?
    var deadline: ElectionInstant
    /// Wall clock in nanoseconds: what counts where the writer's boot clock cannot be read.
    var wallDeadline: Int64
    var text: String

    /// Larger files are refused unread.
    static let maximumLength = NoteRequest.maximumTextLength + 1_024
    private static let header = "leader-election note 1"

    /// Whether the note is to be read still.
    ///
    /// Only people and the order of candidates depend on a note, so that the wall clock may judge one that was written
    /// before a reboot, or within another time namespace.
    func stands(at now: ElectionInstant, wall: Int64, in domain: String?) -> Bool {
        guard let domain, domain == self.domain else { return wall < wallDeadline }
        return now < deadline
    }

    var bytes: [UInt8] {
        let head = [
            Self.header, "domain \(domain ?? "")", "deadline-ns \(deadline.nanoseconds)", "wall-ns \(wallDeadline)",
            "bytes \(text.utf8.count)", "",
        ]
        return Array((head.joined(separator: "\n") + text).utf8)
    }

    /// Reads what ``bytes`` writes; nil for anything else, such as what a power cut has left.
    init?(parsing bytes: [UInt8]) {
        var rest = bytes[...]
        func line(_ key: String) -> String? {
            guard let end = rest.firstIndex(of: UInt8(ascii: "\n")),
                let line = String(validating: rest[..<end], as: UTF8.self), line.hasPrefix(key)
            else { return nil }
            rest = rest[(end + 1)...]
            return String(line.dropFirst(key.count))
        }
        guard line(Self.header) == "", let domain = line("domain "),
            let deadline = line("deadline-ns ").flatMap({ Int64($0) }),
            let wall = line("wall-ns ").flatMap({ Int64($0) }),
            line("bytes ").flatMap({ Int($0) }) == rest.count,
            let text = String(validating: rest, as: UTF8.self)
        else { return nil }
        self.init(
            domain: domain.isEmpty ? nil : domain,
            deadline: ElectionInstant(nanoseconds: deadline),
            wallDeadline: wall,
            text: text
        )
    }

    init(domain: String?, deadline: ElectionInstant, wallDeadline: Int64, text: String) {
        (self.domain, self.deadline, self.wallDeadline, self.text) = (domain, deadline, wallDeadline, text)
    }
}
