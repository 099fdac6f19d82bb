// SPDX-License-Identifier: MIT
#if Consul
import AsyncHTTPClient
import LeaderElection
import NIOCore
import NIOHTTP1
import Testing

@testable import LeaderElectionConsul

@Suite("What people are told")
struct FailureTests {
    private func message(_ status: HTTPResponseStatus, _ body: String) -> String {
        let response = HTTPClient.Response(
            host: "h",
            status: status,
            version: .http1_1,
            headers: [:],
            body: ByteBuffer(string: body)
        )
        return ConsulFailure.answer(response, at: "h:8500").message
    }

    @Test(arguments: [
        (
            "rpc error making call: read tcp 127.0.0.1:45122->127.0.0.1:8300: i/o timeout",
            "rpc error making call: read tcp 127.0.0.1:50998->127.0.0.1:8300: i/o timeout"
        ),
        ("request 4f1d6c0e99ab failed", "request 77e0b2c14455 failed"),
        (
            #"invalid session "adf4238a-882b-9ddc-4a9d-5b6758e4159e""#,
            #"invalid session "b0c1d2e3-0000-4000-8000-5b6758e41500""#
        ),
    ])
    func oneCauseHasOneText(_ first: String, _ second: String) {
        #expect(message(.internalServerError, first) == message(.internalServerError, second))
    }

    @Test
    func whoeverWaitsHearsTheCauseFromHereBeforeItGivesUp() throws {
        let store = try ConsulElectionProvider("consul://127.0.0.1:1").store
        #expect(store.deadline(.seconds(600)) < .now + .seconds(590))
        #expect(store.deadline(nil) > .now + .seconds(300), "a reading has the time of the call before")
    }

    @Test
    func whatTellsCausesApartStays() {
        #expect(message(.internalServerError, "dial tcp 10.0.0.7:8300: refused").contains("10.0.0.7:8300: refused"))
        #expect(message(.internalServerError, "a\u{7}b\nsecond line").hasSuffix("a?b"))
    }
}
#endif
