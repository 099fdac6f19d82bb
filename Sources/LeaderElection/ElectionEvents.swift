// SPDX-License-Identifier: MIT

/// Everything that happens in one election, from the subscription on, until the service stops.
///
/// Any number of readers. Each holds at most 64 events; a reader that falls further behind first loses renewals, then
/// the oldest events; ``ElectionService/changes`` is the stream that never hides the end of a term.
public struct ElectionEvents: AsyncSequence, Sendable {
    /// What this sequence is made of.
    public typealias Element = ElectionEvent
    /// The sequence never fails.
    public typealias Failure = Never

    let broadcast: Broadcast<EventBuffer>

    /// Subscribes; what happens from here on is not missed.
    public func makeAsyncIterator() -> Iterator {
        Iterator(subscription: broadcast.subscribe(EventBuffer()))
    }

    /// Reads one stream of events.
    public struct Iterator: AsyncIteratorProtocol {
        let subscription: Subscription<EventBuffer>

        /// The next element; nil when the service has stopped or the task is cancelled.
        public mutating func next() async -> ElectionEvent? {
            await next(isolation: #isolation)
        }

        /// The next element; nil when the service has stopped or the task is cancelled.
        public mutating func next(isolation: isolated (any Actor)?) async -> ElectionEvent? {
            await subscription.next(isolation: isolation)
        }
    }
}

@available(*, unavailable)
extension ElectionEvents.Iterator: Sendable {}

/// Keeps the newest events, and among them those that matter longest.
struct EventBuffer: SubscriberBuffer {
    private static let limit = 64
    private var events: [ElectionEvent] = []

    mutating func push(_ event: ElectionEvent) {
        if events.count >= Self.limit {
            events.remove(at: events.firstIndex { $0.kind == .renewed || $0.kind == .renewalFailed } ?? 0)
        }
        events.append(event)
    }

    mutating func pop() -> ElectionEvent? {
        events.isEmpty ? nil : events.removeFirst()
    }
}
