// SPDX-License-Identifier: MIT

/// Everything that happens in one election, from the subscription on, until the service stops.
///
/// Any number of readers. Each holds at most 64 events; a reader that falls further behind first loses renewals, then
/// the oldest events; ``ElectionService/changes`` is the stream that never hides the end of a term.
public struct ElectionEvents: AsyncSequence, Sendable {
    public typealias Element = ElectionEvent
    public typealias Failure = Never

    let broadcast: Broadcast<EventBuffer>

    public func makeAsyncIterator() -> Iterator {
        Iterator(subscription: broadcast.subscribe(EventBuffer()))
    }

    /// Reads one stream of events.
    public struct Iterator: AsyncIteratorProtocol {
        let subscription: Subscription<EventBuffer>

        public mutating func next() async -> ElectionEvent? {
            await next(isolation: #isolation)
        }

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
