// SPDX-License-Identifier: MIT

internal import LeaderElection
internal import LeaderElectionConfiguration

/// What a store says of itself, and what is beside its leases.
extension StoreExamination {
    /// So long a rate is watched.
    private static var clockTime: Duration { .seconds(2) }

    /// Why the store will not do as it is.
    ///
    /// - Throws: ``CommandFailure`` if it is not there.
    func unsuitability(_ group: ElectionGroup) async throws -> ElectionError? {
        let error: ElectionError
        do {
            guard case .unknown(let cause) = try await leader.holders(of: [group]).first else { return nil }
            error = ElectionError.wrapping(cause)
        } catch let cause {
            error = ElectionError.wrapping(cause)
        }
        if [.storeRefused, .storeUnsuitable, .storeCorrupted].contains(error.code) { return error }
        throw CommandFailure.unavailable(error.message)
    }

    /// What the store's settings mean to elections; nothing of a store that has none, or does not tell.
    func settings() async -> [StoreFinding] {
        guard let store = leader as? any ExaminableProvider else { return [] }
        do {
            return try await store.examine()
        } catch {
            let message = ElectionError.wrapping(error).message
            return [.fine("settings", "the store's settings cannot be seen by this user: \(message)")]
        }
    }

    func clockReading() async -> StoreClock.Reading? {
        guard let store = leader as? any ExaminableProvider else { return nil }
        return try? await StoreClock.Reading.best(of: store)
    }

    func clockFindings(since first: StoreClock.Reading) async -> [StoreFinding] {
        let rest = ElectionInstant(nanoseconds: first.received) + Self.clockTime - .now
        if rest > .zero { try? await Task.sleep(for: rest) }
        guard let last = await clockReading() else { return [] }
        return StoreClock(first: first, last: last).findings(bound: driftBound)
    }

    /// Whether candidates can be listed and asked for something; nil where the store has no place for it.
    func notes(of group: ElectionGroup) async -> StoreFinding? {
        guard let keeper = leader as? any NoteKeepingProvider else { return nil }
        let (key, timeout) = ("doctor-\(Nonce())", lease / 6)
        do {
            let note = NoteRequest(
                group: group,
                key: key,
                text: "{}",
                lifetime: .seconds(30),
                isNews: true,
                timeout: timeout
            )
            if case .unknown(let error)? = try await keeper.write([note]).first { throw error }
            guard case .found(let notes)? = try await keeper.notes(of: [group]).first,
                notes.contains(where: { $0.key == key })
            else {
                throw ElectionError(.storeCorrupted, "a note that was written is not found")
            }
            if case .unknown(let error)? = try await keeper.remove([
                NoteRemoval(group: group, key: key, timeout: timeout)
            ]).first {
                throw error
            }
            return .fine("notes", "candidates can be listed, and leaders can be asked to hand over")
        } catch let error as ElectionError where error.code == .unsupported {
            return .fine("notes", "this deployment keeps none: elect status lists nobody, operators ask in vain")
        } catch {
            return .trouble(
                "notes",
                ElectionError.wrapping(error).message,
                why: "elections do without, but nobody is listed, and resign, transfer, evict and priority do nothing",
                remedy: "give this user the rights that the store's page names for notes, or run candidates as unlisted"
            )
        }
    }
}
