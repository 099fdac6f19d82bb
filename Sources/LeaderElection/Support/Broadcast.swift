// SPDX-License-Identifier: MIT

internal import Synchronization

/// What a subscriber has not read yet, in bounded memory.
protocol SubscriberBuffer: Sendable {
    associatedtype Input: Sendable
    associatedtype Output: Sendable

    mutating func push(_ input: Input)
    mutating func pop() -> Output?
}

/// Hands each element to every subscriber; no subscriber can delay another one or the sender.
final class Broadcast<Buffer: SubscriberBuffer>: Sendable {
    private struct State {
        var subscriptions: [Subscription<Buffer>.Reference] = []
        var pruneAt = 16
        var isFinished = false
    }

    private let state = Mutex(State())
    private let subscriptionsMade = HandOver()

    /// Adds a subscriber that sees what `buffer` holds and everything sent from now on.
    func subscribe(_ buffer: Buffer) -> Subscription<Buffer> {
        let subscription = Subscription(buffer)
        add(subscription)
        return subscription
    }

    /// Has the subscriber see everything sent from now on, beside what other broadcasts send it.
    func add(_ subscription: Subscription<Buffer>) {
        subscriptionsMade.give()
        let isFinished = state.withLock { state in
            if !state.isFinished { state.subscriptions.append(.init(subscription: subscription)) }
            if state.subscriptions.count >= state.pruneAt {
                state.subscriptions.removeAll { $0.subscription == nil }
                state.pruneAt = 16 + 2 * state.subscriptions.count
            }
            return state.isFinished
        }
        if isFinished { subscription.finish() }
    }

    /// Whether anybody may be listening.
    var hasSubscribers: Bool { state.withLock { !$0.subscriptions.isEmpty } }

    func send(_ element: Buffer.Input) {
        let subscriptions = state.withLock { $0.subscriptions }
        subscriptionsMade.take()
        for subscription in subscriptions { subscription.subscription?.push(element) }
    }

    /// Ends every stream, the present ones after what they have not read yet.
    func finish() {
        let subscriptions = state.withLock { state in
            state.isFinished = true
            defer { state.subscriptions = [] }
            return state.subscriptions
        }
        subscriptionsMade.take()
        for subscription in subscriptions { subscription.subscription?.finish() }
    }
}

/// One reader of one ``Broadcast`` or several.
final class Subscription<Buffer: SubscriberBuffer>: Sendable {
    /// Broadcasts do not keep readers alive.
    struct Reference: Sendable {
        weak let subscription: Subscription?
    }

    private struct State {
        var buffer: Buffer
        var reader: CheckedContinuation<Buffer.Output?, Never>?
        /// How many broadcasts may still send something.
        var sources: Int
        var isFinished: Bool { sources == 0 }
    }

    private let state: Mutex<State>

    init(_ buffer: Buffer, sources: Int = 1) {
        state = Mutex(State(buffer: buffer, sources: sources))
    }

    func push(_ element: Buffer.Input) {
        let wakeUp = state.withLock { state -> (CheckedContinuation<Buffer.Output?, Never>, Buffer.Output)? in
            guard !state.isFinished else { return nil }
            state.buffer.push(element)
            guard let reader = state.reader, let output = state.buffer.pop() else { return nil }
            state.reader = nil
            return (reader, output)
        }
        if let (reader, output) = wakeUp { reader.resume(returning: output) }
    }

    /// One broadcast has sent its last; the stream ends with the last one.
    func finish() {
        let reader = state.withLock { state -> CheckedContinuation<Buffer.Output?, Never>? in
            state.sources = max(0, state.sources - 1)
            guard state.isFinished else { return nil }
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume(returning: nil)
    }

    /// The next element; nil at the end and when the calling task is cancelled.
    func next(isolation: isolated (any Actor)? = #isolation) async -> Buffer.Output? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Buffer.Output?, Never>) in
                let result = state.withLock { state -> Buffer.Output?? in
                    if let output = state.buffer.pop() { return .some(output) }
                    if state.isFinished || Task.isCancelled { return .some(nil) }
                    state.reader = continuation
                    return .none
                }
                if let result { continuation.resume(returning: result) }
            }
        } onCancel: {
            let reader = state.withLock { state in
                defer { state.reader = nil }
                return state.reader
            }
            reader?.resume(returning: nil)
        }
    }
}
