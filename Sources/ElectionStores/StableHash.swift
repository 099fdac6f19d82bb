// SPDX-License-Identifier: MIT

extension String {
    /// A number that is the same for the same text in every process, on every machine, for ever (FNV-1a, 64 bits).
    package var stableHash: UInt64 {
        utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
}
