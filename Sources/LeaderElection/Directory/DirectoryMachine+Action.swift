// SPDX-License-Identifier: MIT

extension DirectoryMachine {
    enum Position: Hashable, Sendable {
        case away
        case waiting(Nonce)
        case leading(term: Int64)
    }

    enum Action: Sendable {
        case write(key: String, text: String, lifetime: Duration, isNews: Bool)
        case remove(key: String)
        case read
        /// Get ready to lead, then call ``DirectoryMachine/prepared(_:for:at:)``.
        case prepare(offer: Nonce)
        case transfer(ElectionAction.Heir)
        case resign(standingDown: Duration)
        case evict(standingDown: Duration)
        /// What ``DirectoryMachine/requestTransfer(_:to:at:)`` began has ended; nil if the heir has the lease.
        case transferEnded(Nonce, ElectionError?)
    }
}
