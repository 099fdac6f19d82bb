// SPDX-License-Identifier: MIT

extension Duration {
    /// The longest first; minutes and hours only for what they say exactly, as 24 h for 86401 s would not do.
    private static let units: [(name: String, nanoseconds: Int64, isForWhole: Bool)] = [
        ("h", 3_600_000_000_000, true), ("min", 60_000_000_000, true),
        ("s", 1_000_000_000, false), ("ms", 1_000_000, false), ("us", 1000, false),
    ]

    /// For people, in four digits: `166.7 ms`, `2.5 s`.
    ///
    /// - Parameter isRoundedDown: for a bound that whoever reads it should be able to use.
    package func text(isRoundedDown: Bool = false) -> String {
        let nanoseconds = wholeNanoseconds
        for unit in Self.units where nanoseconds.magnitude >= unit.nanoseconds.magnitude {
            let scale: Int64 =
                switch nanoseconds.magnitude / unit.nanoseconds.magnitude {
                case ..<10: 1000
                case ..<100: 100
                case ..<1000: 10
                default: 1
                }
            let step = unit.nanoseconds / scale
            var (steps, rest) = nanoseconds.quotientAndRemainder(dividingBy: step)
            // 90 s and 119 s are easier to read than 1.5 min and 1.983 min.
            if unit.isForWhole, rest != 0 || nanoseconds.magnitude < 120_000_000_000 { continue }
            if !isRoundedDown, rest.magnitude * 2 >= step.magnitude { steps += rest.signum() }
            let (whole, part) = steps.quotientAndRemainder(dividingBy: scale)
            return (part == 0 ? "\(whole)" : "\(Double(steps) / Double(scale))") + " \(unit.name)"
        }
        return nanoseconds == 0 ? "0 s" : "\(nanoseconds) ns"
    }
}
