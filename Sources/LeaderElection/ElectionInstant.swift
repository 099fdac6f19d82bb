// SPDX-License-Identifier: MIT

/// A point on the boot clock: monotonic time that goes on while the machine is suspended.
///
/// On Linux this is `CLOCK_BOOTTIME`, the clock beneath `ContinuousClock`. Instants of two machines, or of two boots
/// of one, cannot be compared.
public struct ElectionInstant: Hashable, Sendable, InstantProtocol {
    /// Nanoseconds since the machine started.
    public var nanoseconds: Int64

    /// The instant that many nanoseconds after the machine started.
    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// Before everything that can happen.
    package static let distantPast = ElectionInstant(nanoseconds: .min / 2)
    /// After everything that can happen.
    package static let distantFuture = ElectionInstant(nanoseconds: .max / 2)

    /// The instant that much later.
    public func advanced(by duration: Duration) -> ElectionInstant {
        let step = duration.wholeNanoseconds
        let (sum, isTooFar) = nanoseconds.addingReportingOverflow(step)
        return ElectionInstant(nanoseconds: isTooFar ? (step < 0 ? .min : .max) : sum)
    }

    /// How much later the other instant is.
    public func duration(to other: ElectionInstant) -> Duration {
        .nanoseconds(other.nanoseconds) - .nanoseconds(nanoseconds)
    }

    /// Whether the left instant comes first.
    public static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }

    package static func + (instant: Self, duration: Duration) -> Self { instant.advanced(by: duration) }
    package static func - (instant: Self, duration: Duration) -> Self { instant.advanced(by: .zero - duration) }
    package static func - (left: Self, right: Self) -> Duration { right.duration(to: left) }
}

extension Duration {
    /// Rounded towards zero, and never more than 73 years: what a store says may be anything, and has to be reckoned with.
    package var wholeNanoseconds: Int64 {
        let limit = Duration.nanoseconds(.max / 4)
        let (seconds, attoseconds) = min(max(self, .zero - limit), limit).components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }

    package static func * (duration: Duration, factor: Double) -> Duration {
        .nanoseconds(Int64(clamping: Int128(Double(duration.wholeNanoseconds) * factor)))
    }
}
