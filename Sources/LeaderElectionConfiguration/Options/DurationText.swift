// SPDX-License-Identifier: MIT

/// Durations as people write them: a number and a unit, such as `250ms`, `10s`, `1.5m`, `1h`.
package enum DurationText {
    private static let units: [(suffix: String, nanoseconds: Double)] = [
        ("ns", 1), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
    ]

    /// Nil for anything else, and for what is negative or longer than a hundred years.
    package static func parse(_ text: String) -> Duration? {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let suffix = text.dropFirst(digits.count)
        guard let unit = units.first(where: { $0.suffix == suffix }),
            let first = digits.first, let last = digits.last, first != ".", last != ".",
            let number = Double(digits)
        else { return nil }
        let nanoseconds = (number * unit.nanoseconds).rounded()
        return nanoseconds < 3.2e18 ? .nanoseconds(Int64(nanoseconds)) : nil
    }

    /// The shortest way to write a duration with at most three digits behind the point.
    package static func format(_ duration: Duration) -> String {
        let seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
        let (number, unit): (Double, String) =
            switch abs(seconds) {
            case 3600...: (seconds / 3600, "h")
            case 120...: (seconds / 60, "m")
            case 1...: (seconds, "s")
            case 1e-3...: (seconds * 1e3, "ms")
            case 1e-6...: (seconds * 1e6, "us")
            default: (seconds * 1e9, "ns")
            }
        let rounded = (number * 1000).rounded() / 1000
        let text = rounded == rounded.rounded() ? String(Int64(rounded)) : String(rounded)
        return text + unit
    }
}
