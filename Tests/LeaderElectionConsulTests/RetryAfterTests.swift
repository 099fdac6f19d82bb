// SPDX-License-Identifier: MIT
#if Consul
import LeaderElection
import NIOHTTP1
import Testing

@testable import LeaderElectionConsul

@Suite("What a server that is asked too often says")
struct RetryAfterTests {
    private static let sunday = "Sun, 06 Nov 1994 08:49:37 GMT"

    @Test(arguments: [
        ("1", 1), ("05", 5), ("86400", 5), ("99999999999999999999", 5),
        ("Sun, 06 Nov 1994 08:49:40 GMT", 3), ("Mon, 07 Nov 1994 08:49:37 GMT", 5),
    ])
    func isAPauseOfAtMost5Seconds(_ text: String, _ seconds: Int) {
        #expect(RetryAfter.pause(["Date": Self.sunday, "Retry-After": text]) == .seconds(seconds))
    }

    @Test(arguments: ["0", "", "-1", "1.5", "soon", "Sun, 06 Nov 1994 08:49:36 GMT", "Sun, 06 Nov 1994 08:49:40 CET"])
    func isNoPauseIfItIsOverOrNotUnderstood(_ text: String) {
        #expect(RetryAfter.pause(["Date": Self.sunday, "Retry-After": text]) == nil)
    }

    @Test
    func aMomentIsComparedWithTheServersClockOnly() {
        #expect(RetryAfter.pause(["Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"]) == nil)
        #expect(RetryAfter.pause([:]) == nil)
    }

    @Test(
        arguments: [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0), (sunday, 784_111_777), ("Tue, 29 Feb 2000 23:59:59 GMT", 951_868_799),
            ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800), ("Sat, 21 Nov 2026 20:46:00 GMT", 1_795_293_960),
        ] as [(String, Int64)]
    )
    func datesAreRead(_ text: String, _ seconds: Int64) {
        #expect(RetryAfter.date(text) == seconds)
    }
}
#endif
