// SPDX-License-Identifier: MIT

/// What a ``FaultProxy`` does to the bytes that go one way.
package struct FaultRule: Sendable {
    package enum Direction: Sendable, CaseIterable {
        /// From the client to the server.
        case requests
        /// From the server to the client.
        case replies
    }

    package enum Action: Sendable {
        /// Keeps bytes, and the end of a connection, until the rule is gone; both ends see an open, silent connection.
        case hold
        /// Passes them on so much later.
        case delay(Duration)
        /// Swallows them, and everything that follows in this direction on this connection.
        case drop
        /// Resets the connection at both ends.
        case reset
        /// Tells the receiver that nothing more will come; the other direction goes on.
        case halfClose
        /// Passes on so many bytes of what comes next, then ends as ``halfClose`` does.
        case truncate(Int)
        /// Passes on these bytes instead.
        case garbage([UInt8])
        /// Passes on the first of these instead, the second instead of what comes next, and so on, over and over again.
        case garbageInTurn([[UInt8]])
    }

    package var action: Action
    package var direction: Direction
    /// The rule takes hold of a connection when one of its requests contains this, that request included; nil: at once.
    package var pattern: [UInt8]?
    /// To how many connections (with a pattern) or messages (without) it applies at most.
    package var limit: Int?

    package init(
        _ action: Action,
        _ direction: Direction,
        whenRequestContains pattern: String? = nil,
        limit: Int? = nil
    ) {
        self.action = action
        self.direction = direction
        self.pattern = pattern.map { Array($0.utf8) }
        self.limit = limit
    }
}
