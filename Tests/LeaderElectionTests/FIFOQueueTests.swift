// SPDX-License-Identifier: MIT

import LeaderElection
import Testing

@Suite struct FIFOQueueTests {
    @Test func elementsComeOutAsTheyCameIn() {
        var (queue, expected) = (FIFOQueue<Int>(), [Int]())
        var generator = SystemRandomNumberGenerator()
        for number in 0..<2000 {
            if Bool.random(using: &generator) || number < 20 {
                queue.append(number)
                expected.append(number)
            } else {
                #expect(queue.first == expected.first)
                #expect(queue.popFirst() == (expected.isEmpty ? nil : expected.removeFirst()))
            }
            #expect(queue.count == expected.count && queue.isEmpty == expected.isEmpty)
        }
        #expect(queue.removeAll() == expected)
        #expect(queue.isEmpty && queue.popFirst() == nil)
    }

    @Test func whatWasTakenOutIsNotKept() {
        final class Thing {}
        var queue = FIFOQueue<Thing>()
        for _ in 0..<3 { queue.append(Thing()) }
        weak let first = queue.first
        _ = queue.popFirst()
        #expect(first == nil)
    }
}
