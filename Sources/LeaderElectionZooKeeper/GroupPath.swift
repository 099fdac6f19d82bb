// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import LeaderElection

/// Names of nodes that stand for names of groups.
enum GroupPath {
    /// The node's name: plain characters of ASCII as they are, with everything else as %XX.
    ///
    /// ZooKeeper refuses `/`, control characters, `.` and `..` as a whole name, and what it calls private characters,
    /// which includes each one outside the basic plane. That names are plain also keeps two from being equal as text
    /// that are not the same bytes.
    static func encode(_ group: ElectionGroup) -> String {
        if group.name.utf8.allSatisfy({ $0 == UInt8(ascii: ".") }) {
            return String(repeating: "%2E", count: group.name.utf8.count)
        }
        var result = ""
        for scalar in group.name.unicodeScalars {
            if scalar == "%" || scalar == "/" || !scalar.isASCII {
                for byte in String(scalar).utf8 {
                    let digits = String(byte, radix: 16, uppercase: true)
                    result += digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
                }
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Where sessions show that they live; no group has this name, because a % is always followed by digits.
    static let heartbeats = "%heartbeats"
    /// Where notes are, a node for each group.
    static let notes = "%notes"
    /// What is changed with each note that others are to hear of.
    static let news = "%news"
}
#endif
