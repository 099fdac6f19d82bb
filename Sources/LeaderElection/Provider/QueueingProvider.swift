// SPDX-License-Identifier: MIT

/// A store in which candidates stand in line, and that can tell in which order.
///
/// For people only: being next in line does not mean to lead next if somebody hands leadership over on purpose.
public protocol QueueingProvider: ElectionProvider {
    /// Reads who stands in line for each lease.
    func queues(of groups: [ElectionGroup]) async throws -> [QueueAnswer]
}

/// Who stands in line for one lease.
public enum QueueAnswer: Sendable {
    /// The nonces with which they ask, in their order: first whoever leads; nil for one of another program that has none.
    case found([Nonce?])
    /// The store could not be read.
    case unknown(any Error)
}

extension QueueAnswer {
    /// The candidates with their places in this queue; as they are if it could not be read.
    func placing(_ candidates: [ListedCandidate]) -> [ListedCandidate] {
        guard case .found(let queue) = self else { return candidates }
        var places: [Nonce: Int] = [:]
        for (place, nonce) in queue.enumerated() { if let nonce, places[nonce] == nil { places[nonce] = place } }
        return candidates.map { listed in
            var listed = listed
            listed.position = places[listed.nonce]
            return listed
        }
    }
}
