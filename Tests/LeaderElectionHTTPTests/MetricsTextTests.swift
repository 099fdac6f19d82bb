// SPDX-License-Identifier: MIT

#if HTTP
import LeaderElectionObservability
import Metrics
import Testing

@testable import LeaderElectionHTTP

@Suite struct MetricsTextTests {
    private let text = MetricsText()

    @Test func countersAndGaugesAreWrittenWithTheirHelp() {
        let name = ElectionMetric.acquisitions.rawValue
        Counter(label: name, dimensions: [("group", "b")], factory: text).increment(by: 2)
        Counter(label: name, dimensions: [("group", "a")], factory: text).increment(by: 3)
        Meter(label: ElectionMetric.leading.rawValue, dimensions: [], factory: text).set(0.5)
        #expect(
            text.text() == """
                # HELP election_acquisitions_total Terms that this process has begun to lead.
                # TYPE election_acquisitions_total counter
                election_acquisitions_total{group="a"} 3
                election_acquisitions_total{group="b"} 2
                # HELP election_leading Elections that this process leads.
                # TYPE election_leading gauge
                election_leading 0.5

                """
        )
    }

    @Test func labelsAreEscaped() {
        Counter(label: "c", dimensions: [("group", "a\\b\"c\nd")], factory: text).increment()
        #expect(text.text() == "# TYPE c counter\nc{group=\"a\\\\b\\\"c\\nd\"} 1\n")
    }

    @Test func timersAreHistogramsInSecondsWhoseBucketsAddUp() {
        let timer = Timer(label: "t", dimensions: [("outcome", "ok")], factory: text)
        for milliseconds in [1, 2, 400_000] { timer.recordMilliseconds(milliseconds) }
        let lines = text.text().split(separator: "\n").map(String.init)
        #expect(lines[0] == "# TYPE t histogram")
        #expect(lines.contains("t_bucket{outcome=\"ok\",le=\"0.0005\"} 0"))
        #expect(lines.contains("t_bucket{outcome=\"ok\",le=\"0.001\"} 1"))
        #expect(lines.contains("t_bucket{outcome=\"ok\",le=\"0.0025\"} 2"))
        #expect(lines.contains("t_bucket{outcome=\"ok\",le=\"300\"} 2"))
        #expect(lines.contains("t_bucket{outcome=\"ok\",le=\"+Inf\"} 3"))
        #expect(lines.contains("t_sum{outcome=\"ok\"} 400.003"))
        #expect(lines.contains("t_count{outcome=\"ok\"} 3"))
    }

    @Test func memoryIsBounded() {
        for number in 0..<5000 { Counter(label: "c", dimensions: [("n", "\(number)")], factory: text).increment() }
        #expect(text.text().split(separator: "\n").count == 4097)
    }

    @Test func everyMetricHasHelpAndAUnitInItsName() {
        for metric in ElectionMetric.allCases {
            #expect(metric.help.hasSuffix("."))
            #expect(metric.rawValue.hasPrefix("election_"))
        }
    }
}
#endif
