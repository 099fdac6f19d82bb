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
    private let isWanted: (@Sendable (ElectionEvent) -> Bool)?

    init(_ broadcasts: [Broadcast<EventBuffer>], where isWanted: (@Sendable (ElectionEvent) -> Bool)? = nil) {
        self.broadcasts = broadcasts
        self.isWanted = isWanted
    }

    /// The events of all these services in the order in which they happened, until the last of the services stops.
    ///
    /// One reader for ten thousand groups costs no more than one for a single group.
    public init(of services: some Sequence<ElectionService>) {
        self.init(services.map(\.board.events))
    }

    /// The same without the events that are not wanted, for which nobody is woken.
    ///
    /// - Parameter isWanted: asked on the engine's thread, which must not have to wait for an answer; so it is not public.
    package init(
        of services: some Sequence<ElectionService>,
        where isWanted: @escaping @Sendable (ElectionEvent) -> Bool
    ) {
        self.init(services.map(\.board.events), where: isWanted)
    }

    /// Subscribes; what happens from here on is not missed.
    public func makeAsyncIterator() -> Iterator {
        let buffer = EventBuffer(limit: 64 * broadcasts.count, where: isWanted)
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
    let limit: Int
    private let isWanted: (@Sendable (ElectionEvent) -> Bool)?
    private var renewals = FIFOQueue<(number: UInt64, event: ElectionEvent)>()
    private var others = FIFOQueue<(number: UInt64, event: ElectionEvent)>()
    private var lastNumber: UInt64 = 0

    init(limit: Int = 64, where isWanted: (@Sendable (ElectionEvent) -> Bool)? = nil) {
        self.limit = limit
        self.isWanted = isWanted
    }

    mutating func push(_ event: ElectionEvent) {
        guard isWanted?(event) ?? true else { return }
        if renewals.count + others.count >= limit, renewals.popFirst() == nil { _ = others.popFirst() }
        lastNumber += 1
        switch event.kind {
        case .renewed, .renewalFailed: renewals.append((lastNumber, event))
        default: others.append((lastNumber, event))
        }
    }

    mutating func pop() -> ElectionEvent? {
        guard let renewal = renewals.first else { return others.popFirst()?.event }
        guard let other = others.first, other.number < renewal.number else { return renewals.popFirst()?.event }
        return others.popFirst()?.event
    }
}
