// SPDX-License-Identifier: MIT

/// A random 128-bit value that tells one lease, or one run of a candidate, from every other.
///
/// Ownership of a lease is decided by its nonce and term, never by a candidate's name: two processes that were given
/// the same name by mistake still hold different nonces.
public struct Nonce: Hashable, Sendable {
    /// The upper 64 bits.
    public let high: UInt64
    /// The lower 64 bits.
    public let low: UInt64

    /// A nonce of known bits, as read back from a store.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A fresh random nonce.
    public init() {
        var generator = SystemRandomNumberGenerator()
        self.init(using: &generator)
    }

    /// A nonce from the given source of randomness.
    public init(using generator: inout some RandomNumberGenerator) {
        self.init(high: generator.next(), low: generator.next())
    }

    /// Reads the 32 hexadecimal digits that ``description`` writes; anything else is nil.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 32, text.utf8.allSatisfy({ ($0 | 0x20) >= 0x61 || ($0 >= 0x30 && $0 <= 0x39) }),
            let high = UInt64(text.prefix(16), radix: 16),
            let low = UInt64(text.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }
}

extension Nonce: CustomStringConvertible {
    /// 32 lower-case hexadecimal digits.
    public var description: String { Self.hex(high) + Self.hex(low) }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
