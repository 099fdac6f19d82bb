// SPDX-License-Identifier: MIT

#if Observability
internal import LeaderElection
internal import Metrics

/// The handlers of one metrics backend, made when first needed; their number is bounded by the values of the labels.
struct ElectionMeters {
    private struct Key: Hashable {
        let metric: ElectionMetric
        let group: String?
        let detail: String?
    }

    private let factory: any MetricsFactory
    private let labelledGroups: Set<String>
    private var counters: [Key: Counter] = [:]
    private var timers: [Key: Timer] = [:]
    private var meters: [Key: (meter: Meter, value: Int)] = [:]

    init(factory: any MetricsFactory, labelledGroups: Set<String>) {
        self.factory = factory
        self.labelledGroups = labelledGroups
    }

    /// The value of the label `group`: none if no group has one of its own.
    func label(of group: ElectionGroup) -> String? {
        guard !labelledGroups.isEmpty else { return nil }
        return labelledGroups.contains(group.name) ? group.name : "other"
    }

    /// - Parameter detail: name and value of one more label, of which there are few.
    mutating func count(_ metric: ElectionMetric, _ group: String?, _ detail: (String, String)? = nil, by n: Int = 1) {
        let key = Key(metric: metric, group: group, detail: detail?.1)
        let counter =
            counters[key]
            ?? Counter(label: metric.rawValue, dimensions: dimensions(group, detail), factory: factory)
        counters[key] = counter
        counter.increment(by: n)
    }

    mutating func time(
        _ metric: ElectionMetric,
        _ group: String?,
        _ duration: Duration,
        _ detail: (String, String)? = nil
    ) {
        let key = Key(metric: metric, group: group, detail: detail?.1)
        let timer =
            timers[key] ?? Timer(label: metric.rawValue, dimensions: dimensions(group, detail), factory: factory)
        timers[key] = timer
        timer.recordNanoseconds(max(0, duration.wholeNanoseconds))
    }

    mutating func change(_ metric: ElectionMetric, _ group: String?, by change: Int) {
        let key = Key(metric: metric, group: group, detail: nil)
        var entry =
            meters[key]
            ?? (Meter(label: metric.rawValue, dimensions: dimensions(group, nil), factory: factory), 0)
        entry.value += change
        meters[key] = entry
        entry.meter.set(entry.value)
    }

    private func dimensions(_ group: String?, _ detail: (String, String)?) -> [(String, String)] {
        (group.map { [("group", $0)] } ?? []) + (detail.map { [$0] } ?? [])
    }
}
#endif
