// SPDX-License-Identifier: MIT

/// Elements in the order in which they came; taking the first costs the same however many there are.
package struct FIFOQueue<Element> {
    private var elements: [Element?] = []
    private var head = 0

    package init() {}

    package var count: Int { elements.count - head }
    package var isEmpty: Bool { count == 0 }
    package var first: Element? { isEmpty ? nil : elements[head] }

    package mutating func append(_ element: Element) { elements.append(element) }

    package mutating func popFirst() -> Element? {
        guard let element = first else { return nil }
        elements[head] = nil
        head += 1
        // A copy: room that was needed once is given back.
        if head * 2 >= elements.count {
            elements = Array(elements[head...])
            head = 0
        }
        return element
    }

    /// Empties it.
    ///
    /// - Returns: what was left, in order.
    package mutating func removeAll() -> [Element] {
        defer { self = Self() }
        return elements[head...].compactMap(\.self)
    }
}

extension FIFOQueue: Sendable where Element: Sendable {}
