// SPDX-License-Identifier: MIT

#if HTTP
internal import LeaderElectionObservability
internal import Metrics
internal import Synchronization

/// Keeps the metrics of elections in memory and writes them down in the text format of Prometheus.
///
/// No more than that: its memory is bounded by ``maximumSeries``, and histograms have one set of limits.
final class MetricsText: MetricsFactory {
    enum Kind: String { case counter, gauge, histogram }

    struct Series {
        let labels: [(String, String)]
        var value = 0.0
        var buckets: [UInt64] = []
        var count: UInt64 = 0
    }

    struct Family {
        let kind: Kind
        var series: [String: Series] = [:]

        mutating func change(_ key: String, _ labels: [(String, String)], _ body: (inout Series) -> Void) {
            body(&series[key, default: Series(labels: labels)])
        }
    }

    private static let maximumSeries = 4096
    /// Upper limits of histograms in seconds: from a store next door to a lease of minutes.
    static let limits = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
    ]

    private let families = Mutex<[String: Family]>([:])

    // MARK: MetricsFactory

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        Handler(label, dimensions, .counter, in: self)
    }

    func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        Handler(label, dimensions, .gauge, in: self)
    }

    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        Handler(label, dimensions, .gauge, in: self)
    }

    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        Handler(label, dimensions, .histogram, in: self)
    }

    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyMeter(_ handler: any MeterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}

    fileprivate func change(_ handler: Handler, _ body: (inout Series) -> Void) {
        families.withLock { families in
            let isNew = families[handler.name]?.series[handler.key] == nil
            if isNew, families.values.reduce(0, { $0 + $1.series.count }) >= Self.maximumSeries { return }
            families[handler.name, default: Family(kind: handler.kind)].change(handler.key, handler.labels, body)
        }
    }

    // MARK: Text

    /// Everything in version 0.0.4 of the text format, sorted by name.
    func text(with more: [String: Family] = [:]) -> String {
        var text = ""
        let all = families.withLock { $0 }.merging(more) { own, _ in own }
        for (name, family) in all.sorted(by: { $0.key < $1.key }) {
            let help = ElectionMetric(rawValue: name)?.help ?? Self.moreHelp[name]
            if let help { text += "# HELP \(name) \(Self.escaped(help, quote: false))\n" }
            text += "# TYPE \(name) \(family.kind.rawValue)\n"
            for (_, series) in family.series.sorted(by: { $0.key < $1.key }) {
                guard family.kind == .histogram else {
                    text += "\(name)\(Self.labels(series.labels)) \(Self.number(series.value))\n"
                    continue
                }
                var below: UInt64 = 0
                for (limit, count) in zip(Self.limits, series.buckets) {
                    below += count
                    text += "\(name)_bucket\(Self.labels(series.labels + [("le", Self.number(limit))])) \(below)\n"
                }
                text += "\(name)_bucket\(Self.labels(series.labels + [("le", "+Inf")])) \(series.count)\n"
                text += "\(name)_sum\(Self.labels(series.labels)) \(Self.number(series.value))\n"
                text += "\(name)_count\(Self.labels(series.labels)) \(series.count)\n"
            }
        }
        return text
    }

    static let healthName = "election_health"
    private static let moreHelp = [healthName: "Elections by the state of their health."]

    static func labels(_ labels: [(String, String)]) -> String {
        guard !labels.isEmpty else { return "" }
        return "{" + labels.map { "\($0.0)=\"\(escaped($0.1, quote: true))\"" }.joined(separator: ",") + "}"
    }

    static func escaped(_ text: String, quote: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quote: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
    }
}

/// One series of one metric, whatever its kind.
private final class Handler: CounterHandler, MeterHandler, RecorderHandler, TimerHandler {
    let name: String
    let kind: MetricsText.Kind
    let labels: [(String, String)]
    let key: String
    private let text: MetricsText

    init(_ name: String, _ labels: [(String, String)], _ kind: MetricsText.Kind, in text: MetricsText) {
        self.name = name
        self.labels = labels
        self.kind = kind
        self.text = text
        key = MetricsText.labels(labels)
    }

    func increment(by amount: Int64) { text.change(self) { $0.value += Double(amount) } }
    func increment(by amount: Double) { text.change(self) { $0.value += amount } }
    func decrement(by amount: Double) { text.change(self) { $0.value -= amount } }
    func set(_ value: Int64) { text.change(self) { $0.value = Double(value) } }
    func set(_ value: Double) { text.change(self) { $0.value = value } }
    func record(_ value: Int64) { set(value) }
    func record(_ value: Double) { set(value) }
    func reset() { text.change(self) { $0.value = 0 } }

    func recordNanoseconds(_ duration: Int64) {
        let seconds = Double(duration) / 1e9
        text.change(self) { series in
            if series.buckets.isEmpty { series.buckets = MetricsText.limits.map { _ in 0 } }
            if let bucket = MetricsText.limits.firstIndex(where: { seconds <= $0 }) { series.buckets[bucket] += 1 }
            series.count += 1
            series.value += seconds
        }
    }
}
#endif
