// SPDX-License-Identifier: MIT

import LeaderElection
import Testing

@Suite("In-memory store")
struct InMemoryStoreTests {
    @Test("the leading dot names a provider of the shared store")
    func sharedStore() {
        let provider: any ElectionProvider = .inMemory
        #expect((provider as? InMemoryElectionProvider)?.store === InMemoryElectionStore.shared)
    }
}
