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
        ElectionInstant(nanoseconds: nanoseconds + duration.wholeNanoseconds)
    }

    /// How much later the other instant is.
    public func duration(to other: ElectionInstant) -> Duration {
        .nanoseconds(other.nanoseconds - nanoseconds)
    }

    /// Whether the left instant comes first.
    public static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }

    package static func + (instant: Self, duration: Duration) -> Self { instant.advanced(by: duration) }
    package static func - (instant: Self, duration: Duration) -> Self { instant.advanced(by: .zero - duration) }
    package static func - (left: Self, right: Self) -> Duration { right.duration(to: left) }
}

extension Duration {
    /// Rounded towards zero; saturates at the limits of `Int64` (292 years).
    package var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min / 4 : .max / 4 }
        return scaled + attoseconds / 1_000_000_000
    }

    package static func * (duration: Duration, factor: Double) -> Duration {
        .nanoseconds(Int64(Double(duration.wholeNanoseconds) * factor))
    }
}
