// SPDX-License-Identifier: MIT

package import LeaderElection

/// The client side of the store in one process: verbs that go over the simulated network.
package final class SimulatedProvider: PushingProvider, NoteKeepingProvider, TransferringProvider {
    package let guarantees: ProviderGuarantees
    private let process: Int
    private let network: SimulatedNetwork
    private let heedsCancellation: Bool

    package init(process: Int, network: SimulatedNetwork, scenario: Scenario) {
        self.process = process
        self.network = network
        heedsCancellation = scenario.wire.callsHeedCancellation
        guarantees = ProviderGuarantees(
            exclusion: .processLocal,
            expiry: .serverTimed,
            termSource: "max(last + 1, milliseconds of the wall clock)",
            pushesRelease: true,
            pushesCrash: false,
            minimumLeaseDuration: .milliseconds(250),
            hintsPrecedeRelease: scenario.hintsPrecedeRelease
        )
    }

    package func acquire(_ requests: [AcquireRequest]) async throws -> [AcquireAnswer] {
        guard case .acquire(let answers) = try await call(.acquire(requests)) else { return [] }
        return answers
    }

    package func renew(_ requests: [RenewRequest]) async throws -> [RenewAnswer] {
        guard case .renew(let answers) = try await call(.renew(requests)) else { return [] }
        return answers
    }

    package func release(_ requests: [ReleaseRequest]) async throws -> [ReleaseAnswer] {
        guard case .release(let answers) = try await call(.release(requests)) else { return [] }
        return answers
    }

    package func holders(of groups: [ElectionGroup]) async throws -> [HolderAnswer] {
        guard case .read(let answers) = try await call(.read(groups)) else { return [] }
        return answers
    }

    package func transfer(_ requests: [TransferRequest]) async throws -> [TransferAnswer] {
        guard case .transfer(let answers) = try await call(.transfer(requests)) else { return [] }
        return answers
    }

    package func write(_ requests: [NoteRequest]) async throws -> [NoteAnswer] {
        guard case .changedNotes(let answers) = try await call(.write(requests)) else { return [] }
        return answers
    }

    package func remove(_ requests: [NoteRemoval]) async throws -> [NoteAnswer] {
        guard case .changedNotes(let answers) = try await call(.remove(requests)) else { return [] }
        return answers
    }

    package func notes(of groups: [ElectionGroup]) async throws -> [NotesAnswer] {
        guard case .notes(let answers) = try await call(.notes(groups)) else { return [] }
        return answers
    }

    package func hints(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription {
        network.subscribe(process, receive)
        return Subscription()
    }

    private func call(_ call: StoreCall) async throws -> StoreReply {
        let ticket = network.send(call, from: process)
        guard heedsCancellation else { return try await ticket.value().get() }
        return try await withTaskCancellationHandler {
            try await ticket.value().get()
        } onCancel: {
            ticket.resolve(.failure(ElectionError(.timedOut, "the call was cancelled")))
        }
    }

    private final class Subscription: HintSubscription {
        func cancel() {}
    }
}
