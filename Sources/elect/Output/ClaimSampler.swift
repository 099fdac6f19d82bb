// SPDX-License-Identifier: MIT

internal import CElectCommand
internal import CElectionSystem
internal import LeaderElection
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// Writes down again and again what "do I lead?" is answered, on a thread that nothing else runs on.
final class ClaimSampler: Sendable {
    private let thread = SerialThread(name: "elect-sampler")
    private let isStopped = Mutex(false)

    /// Starts sampling; the clock is read before and after each answer.
    init(_ services: [ElectionService], of candidate: String, every interval: Duration, into history: HistoryFile) {
        let microseconds = UInt32(clamping: interval.wholeNanoseconds / 1000)
        thread.execute { [self] in
            while !isStopped.withLock({ $0 }) {
                for service in services {
                    let before = elect_boot_nanoseconds()
                    let term = service.leadership?.term
                    let after = elect_boot_nanoseconds()
                    history.appendClaim(
                        group: service.group.name,
                        candidate: candidate,
                        term: term,
                        before: before,
                        after: after
                    )
                }
                usleep(microseconds)
            }
        }
    }

    func stop() { isStopped.withLock { $0 = true } }
}
