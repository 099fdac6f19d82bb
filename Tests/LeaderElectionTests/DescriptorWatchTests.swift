// SPDX-License-Identifier: MIT

import LeaderElection
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

@Suite(.timeLimit(.minutes(2))) struct DescriptorWatchTests {
    private func pipeEnds() -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        #expect(pipe(&ends) == 0)
        return (ends[0], ends[1])
    }

    @Test func readinessWakesAThreadThatSleeps() async {
        let thread = SerialThread(name: "watch-test")
        let ends = pipeEnds()
        let byte = await withCheckedContinuation { (continuation: CheckedContinuation<UInt8, Never>) in
            thread.execute {
                _ = thread.watch(ends.reading, for: .readable) { _ in
                    var byte: UInt8 = 0
                    if read(ends.reading, &byte, 1) == 1 { continuation.resume(returning: byte) }
                }
                // On the thread itself: it is not asleep yet, and will look before it sleeps.
                var sent: UInt8 = 42
                #expect(write(ends.writing, &sent, 1) == 1)
            }
        }
        #expect(byte == 42)
        close(ends.reading)
        close(ends.writing)
    }

    @Test func writabilityAndHangUpAreTold() async {
        let thread = SerialThread(name: "watch-test")
        let ends = pipeEnds()
        let events = await withCheckedContinuation { (continuation: CheckedContinuation<DescriptorEvents, Never>) in
            thread.execute {
                let holder = WatchHolder()
                holder.watch = thread.watch(ends.writing, for: .writable) { events in
                    holder.watch?.cancel()
                    continuation.resume(returning: events)
                }
            }
        }
        #expect(events == .writable)
        close(ends.writing)
        let hangUp = await withCheckedContinuation { (continuation: CheckedContinuation<DescriptorEvents, Never>) in
            thread.execute {
                let holder = WatchHolder()
                holder.watch = thread.watch(ends.reading, for: .readable) { events in
                    holder.watch?.cancel()
                    continuation.resume(returning: events)
                }
            }
        }
        #expect(hangUp == .readable)
        close(ends.reading)
    }

    @Test func cancelledWatchIsNeverCalled() async {
        let thread = SerialThread(name: "watch-test")
        let ends = pipeEnds()
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            thread.execute {
                let first = thread.watch(ends.reading, for: .readable) { _ in Issue.record("cancelled, but called") }
                first.cancel()
                var sent: UInt8 = 1
                #expect(write(ends.writing, &sent, 1) == 1)
                let holder = WatchHolder()
                holder.watch = thread.watch(ends.reading, for: .readable) { _ in
                    holder.watch?.cancel()
                    continuation.resume()
                }
            }
        }
        close(ends.reading)
        close(ends.writing)
    }
}

/// Touched on one thread only.
private final class WatchHolder: @unchecked Sendable {
    var watch: SerialThread.Watch?
}
