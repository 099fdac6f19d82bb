// SPDX-License-Identifier: MIT

internal import Synchronization

/// Shows race detectors what one thread hands to another under a mutex.
///
/// Whatever was written before ``give()`` is seen to be written before ``take()``. The mutex sees to that already, but where it
/// is contended it is taken inside the kernel, and a detector that looks at user space alone, ours in CI or one of whoever
/// uses this package, would report a race.
package struct HandOver: ~Copyable, Sendable {
    private let count = Atomic<UInt64>(0)

    package init() {}

    package func give() { count.add(1, ordering: .releasing) }

    package func take() { _ = count.load(ordering: .acquiring) }
}
