// SPDX-License-Identifier: MIT

import LeaderElection
import Testing

@Suite struct NonceTests {
    @Test func isReadAsItIsWritten() {
        for nonce in [Nonce(), Nonce(high: 0, low: 0), Nonce(high: .max, low: .max), Nonce(high: 1, low: 2)] {
            #expect(Nonce(nonce.description) == nonce)
            #expect(Nonce(nonce.description.uppercased()) == nonce)
            #expect(Nonce(nonce.description[...]) == nonce)
        }
        #expect(
            Nonce("0123456789abcdefFEDCBA9876543210") == Nonce(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210)
        )
    }

    @Test(arguments: [
        "", "0", String(repeating: "0", count: 31), String(repeating: "0", count: 33),
        "g" + String(repeating: "0", count: 31),
        "+" + String(repeating: "0", count: 31), " " + String(repeating: "0", count: 31),
        "01234567-89ab-cdef-fedc-ba9876543210", String(repeating: "é", count: 16),
    ])
    func isNotReadFromAnythingElse(_ text: String) {
        #expect(Nonce(text) == nil)
    }
}
