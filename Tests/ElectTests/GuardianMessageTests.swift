// SPDX-License-Identifier: MIT

import Testing

@testable import elect

@Suite struct GuardianMessageTests {
    @Test(arguments: [GuardianOrder.deadline(123_456_789_012), .stop, .kill])
    func ordersSurviveTheirJourney(order: GuardianOrder) {
        #expect(GuardianOrder(order.text) == order)
    }

    @Test(arguments: [
        GuardianReport.started(process: 42), .failed(error: 2), .tooLate,
        .ended(code: 3, signal: 0, cause: .itself), .ended(code: 0, signal: 9, cause: .orphaned),
    ])
    func reportsSurviveTheirJourney(report: GuardianReport) {
        #expect(GuardianReport(report.text) == report)
    }

    @Test(arguments: ["", "deadline", "deadline x", "stop now", "ended 1", "ended 1 2 nobody"])
    func garbageIsNotUnderstood(text: String) {
        #expect(GuardianOrder(text) == nil)
        #expect(GuardianReport(text) == nil)
    }

    @Test(arguments: [[], [7], [7, 12]])
    func invocationsSurviveTheirJourney(kept: [Int32]) {
        let invocation = GuardianInvocation(
            channel: 5,
            kept: kept,
            budgets: .init(term: 1, kill: 2, shutdown: 3),
            openFiles: 1024,
            command: ["sh", "-c", "a  b", "--", ""]
        )
        #expect(GuardianInvocation(invocation.arguments) == invocation)
    }

    @Test func aGuardianWithoutACommandIsRefused() {
        #expect(GuardianInvocation([]) == nil)
        #expect(GuardianInvocation(["5", "1", "2", "3", "1024", "[]", "--"]) == nil)
        #expect(GuardianInvocation(["5", "1", "2", "3", "1024", "[x]", "--", "true"]) == nil)
    }
}
