// SPDX-License-Identifier: MIT

/// Repeated measurements of one thing, in one unit.
struct Samples {
    private let sorted: [Double]

    init(_ values: [Double]) { sorted = values.sorted() }

    var count: Int { sorted.count }
    var min: Double { sorted.first ?? .nan }
    var median: Double { quantile(0.5) }
    var p99: Double { quantile(0.99) }
    var max: Double { sorted.last ?? .nan }

    private func quantile(_ share: Double) -> Double {
        sorted.isEmpty ? .nan : sorted[Int((Double(sorted.count - 1) * share).rounded())]
    }
}

/// The table that the benchmark prints, one line as soon as it is known.
struct Report {
    private(set) var missed: [String] = []

    static func heading(_ title: String) {
        print("\n\(title)")
        print("  \(pad("what", 54)) \(right("min")) \(right("median")) \(right("p99")) \(right("max"))      n  target")
    }

    /// Prints one line; a target is met by the median.
    mutating func add(_ name: String, _ samples: Samples, unit: String, target: Double? = nil) {
        let numbers = [samples.min, samples.median, samples.p99, samples.max].map { right(Self.number($0)) }
        var line = "  \(pad("\(name), \(unit)", 54)) \(numbers.joined(separator: " ")) \(right("\(samples.count)", 6))"
        if let target {
            let isMet = samples.median <= target
            if !isMet { missed.append(name) }
            line += "  <= \(Self.number(target)) \(isMet ? "met" : "MISSED")"
        }
        print(line)
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "-" }
        if value >= 1000 || value == value.rounded() { return "\(Int(value.rounded()))" }
        let digits: Double = value < 10 ? 1000 : 10
        return "\((value * digits).rounded() / digits)"
    }
}

private func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}

private func right(_ text: String, _ width: Int = 9) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
}
