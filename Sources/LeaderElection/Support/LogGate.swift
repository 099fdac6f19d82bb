// SPDX-License-Identifier: MIT

/// Lets one group of many tell of what happens to all of them: a store that goes away is one line, not ten thousand.
struct LogGate: Sendable {
    private static let window = Duration.seconds(10)
    private static let limit = 64

    private var told: [String: ElectionInstant] = [:]

    /// Whether nobody has told the same within the last ten seconds.
    mutating func isNews(_ text: String, at now: ElectionInstant) -> Bool {
        if let last = told[text], now - last < Self.window { return false }
        if told.count >= Self.limit { told = told.filter { now - $0.value < Self.window } }
        // Still that many different things within seconds: they are all news.
        if told.count < Self.limit { told[text] = now }
        return true
    }
}
