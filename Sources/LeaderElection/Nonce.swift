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
        self.init(digits: text.utf8)
    }

    /// Reads 32 hexadecimal digits; anything else is nil.
    package init?(digits: some Sequence<UInt8>) {
        var (high, low): (UInt64, UInt64) = (0, 0)
        var count = 0
        for byte in digits {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: return nil
            }
            high = high << 4 | low >> 60
            low = low << 4 | UInt64(digit)
            count += 1
            guard count <= 32 else { return nil }
        }
        guard count == 32 else { return nil }
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
