// SPDX-License-Identifier: MIT

/// Everything that happens in one election or several, from the subscription on, until the services stop.
///
/// Any number of readers. Each holds at most 64 events for each service; a reader that falls further behind first loses
/// renewals, then the oldest events; ``ElectionService/changes`` is the stream that never hides the end of a term.
public struct ElectionEvents: AsyncSequence, Sendable {
    /// What this sequence is made of.
    public typealias Element = ElectionEvent
    /// The sequence never fails.
    public typealias Failure = Never

    let broadcasts: [Broadcast<EventBuffer>]

    init(_ broadcasts: [Broadcast<EventBuffer>]) {
        self.broadcasts = broadcasts
    }

    /// The events of all these services in the order in which they happened, until the last of the services stops.
    ///
    /// One reader for ten thousand groups costs no more than one for a single group.
    public init(of services: some Sequence<ElectionService>) {
        self.init(services.map(\.board.events))
    }

    /// Subscribes; what happens from here on is not missed.
    public func makeAsyncIterator() -> Iterator {
        let buffer = EventBuffer(limit: 64 * broadcasts.count)
        let subscription = Subscription(buffer, sources: broadcasts.count)
        for broadcast in broadcasts { broadcast.add(subscription) }
        return Iterator(subscription: subscription)
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
    /// Elements with their numbers, in order; taking the first costs the same however many there are.
    private struct Queue {
        private var elements: [(number: UInt64, event: ElectionEvent)?] = []
        private var first = 0

        var count: Int { elements.count - first }
        var firstNumber: UInt64? { first < elements.count ? elements[first]?.number : nil }

        mutating func append(_ event: ElectionEvent, _ number: UInt64) { elements.append((number, event)) }

        mutating func removeFirst() -> ElectionEvent? {
            guard first < elements.count else { return nil }
            defer {
                elements[first] = nil
                first += 1
                // A copy: room that was needed once is given back.
                if first * 2 >= elements.count {
                    elements = Array(elements[first...])
                    first = 0
                }
            }
            return elements[first]?.event
        }
    }

    let limit: Int
    private var renewals = Queue()
    private var others = Queue()
    private var lastNumber: UInt64 = 0

    init(limit: Int = 64) {
        self.limit = limit
    }

    mutating func push(_ event: ElectionEvent) {
        if renewals.count + others.count >= limit, renewals.removeFirst() == nil { _ = others.removeFirst() }
        lastNumber += 1
        switch event.kind {
        case .renewed, .renewalFailed: renewals.append(event, lastNumber)
        default: others.append(event, lastNumber)
        }
    }

    mutating func pop() -> ElectionEvent? {
        guard let renewal = renewals.firstNumber else { return others.removeFirst() }
        guard let other = others.firstNumber, other < renewal else { return renewals.removeFirst() }
        return others.removeFirst()
    }
}
