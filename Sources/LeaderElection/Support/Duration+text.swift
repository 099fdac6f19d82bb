// SPDX-License-Identifier: MIT

extension Duration {
    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("h", 3_600_000_000_000), ("min", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000),
    ]

    /// For people, in four digits: `166.7 ms`, `2.5 s`.
    ///
    /// - Parameter isRoundedDown: for a bound that whoever reads it should be able to use.
    package func text(isRoundedDown: Bool = false) -> String {
        let nanoseconds = wholeNanoseconds
        // 90 s and 119 s say more than 1.5 min and 1.983 min.
        let unit = Self.units.first { nanoseconds.magnitude >= ($0.name == "min" ? 2 : 1) * $0.nanoseconds.magnitude }
        guard let unit else { return nanoseconds == 0 ? "0 s" : "\(nanoseconds) ns" }
        let scale: Int64 =
            switch nanoseconds.magnitude / unit.nanoseconds.magnitude {
            case ..<10: 1000
            case ..<100: 100
            case ..<1000: 10
            default: 1
            }
        let (steps, rest) = nanoseconds.quotientAndRemainder(dividingBy: unit.nanoseconds / scale)
        let isNextNearer = !isRoundedDown && rest.magnitude * 2 >= (unit.nanoseconds / scale).magnitude
        let rounded = steps + (isNextNearer ? rest.signum() : 0)
        let (whole, part) = rounded.quotientAndRemainder(dividingBy: scale)
        return (part == 0 ? "\(whole)" : "\(Double(rounded) / Double(scale))") + " \(unit.name)"
    }
}
