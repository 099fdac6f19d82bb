// SPDX-License-Identifier: MIT

/// One thing that can go wrong between a program and its store.
public struct Fault: Sendable, CustomStringConvertible {
    enum Kind: Sendable {
        case delay(Duration)
        case delayAnswer(Duration)
        case hang(ignoringCancellation: Bool)
        case error(any Error)
        case dropBeforeApplying
        case dropAfterApplying
        case deferral(Duration, reason: String)
        case duplicate
        case reorder
        case run(@Sendable () -> Void)
    }

    /// What the fault is called in the log of a ``FaultyProvider``.
    public let description: String
    let kind: Kind

    private init(_ description: String, _ kind: Kind) {
        self.description = description
        self.kind = kind
    }

    /// The call, with its whole batch, reaches the store this much later.
    public static func delay(_ duration: Duration) -> Fault { Fault("delay \(duration)", .delay(duration)) }

    /// The store answers in time, but the answer arrives this much later.
    public static func delayAnswer(_ duration: Duration) -> Fault {
        Fault("delay answer \(duration)", .delayAnswer(duration))
    }

    /// The call stays where it is until its task is cancelled or ``FaultyProvider/releaseHung()``, which lets it go on
    /// to the store, late.
    public static let hang = Fault("hang", .hang(ignoringCancellation: false))

    /// As ``hang``, but deaf to cancellation, as a blocked system call is: only ``FaultyProvider/releaseHung()``
    /// ends it.
    public static let hangDeafly = Fault("hang deafly", .hang(ignoringCancellation: true))

    /// The call throws, and nothing of its batch reaches the store.
    public static func error(_ error: any Error) -> Fault { Fault("error \(error)", .error(error)) }

    /// The request never reaches the store; the caller is answered `.unknown`.
    public static let dropBeforeApplying = Fault("drop before applying", .dropBeforeApplying)

    /// The store carries the request out, but the caller is answered `.unknown`.
    public static let dropAfterApplying = Fault("drop after applying", .dropAfterApplying)

    /// The store lets nobody lead for now, as after a loss of its data: the request is not carried out, and the caller
    /// told to ask again after the given time.
    ///
    /// Strikes acquisitions only.
    public static func deferral(for duration: Duration, reason: String) -> Fault {
        Fault("deferral for \(duration)", .deferral(duration, reason: reason))
    }

    /// The store receives the request twice; the caller sees the first answer.
    public static let duplicate = Fault("duplicate", .duplicate)

    /// The call is held back until the next call of the same verb has gone through, or its task is cancelled.
    ///
    /// Of two calls in a row that are to be held back, the second goes through and lets the first go.
    public static let reorder = Fault("reorder", .reorder)

    /// Loses the store's data before the call: `wipe` does it.
    public static func wipe(_ wipe: @escaping @Sendable () -> Void) -> Fault { Fault("wipe", .run(wipe)) }

    /// Steps the wall clock before the call; backwards if the step is negative.
    public static func wallClockStep(_ clock: ManualClock, by step: Duration) -> Fault {
        Fault("wall clock step \(step)", .run { clock.stepWall(by: step) })
    }

    /// Moves time on before the call, as if the process had been suspended; timers that fall due fire.
    public static func pause(_ clock: ManualClock, for duration: Duration) -> Fault {
        Fault("pause \(duration)", .run { clock.advance(by: duration) })
    }

    /// Anything else that is to happen right before the call.
    public static func custom(_ name: String, _ action: @escaping @Sendable () -> Void) -> Fault {
        Fault(name, .run(action))
    }
}
