// SPDX-License-Identifier: MIT
#if Postgres
internal import IntegrationSupport
internal import LeaderElection
internal import Testing

@testable internal import LeaderElectionPostgres

/// Writes of a leader that does not know yet that it is none any more.
@Suite(.timeLimit(.minutes(2)))
struct FenceTests {
    /// A user's connection, with a table of accounts and the fence prepared as any client would.
    private struct User {
        let session: TestSession
        let accounts: String

        init(_ database: TestDatabase, _ fence: PostgresFence) async throws {
            session = TestSession(database.url)
            accounts = "\(database.schema).accounts"
            try await session.run("CREATE TABLE IF NOT EXISTS \(accounts) (balance int)")
            try await session.run("INSERT INTO \(accounts) SELECT 0 WHERE NOT EXISTS (SELECT FROM \(accounts))")
            try await session.run("PREPARE fence (text, bigint) AS \(fence.statement)")
            try await session.run(
                """
                PREPARE fenced_write (text, bigint) AS
                UPDATE \(accounts) SET balance = balance + 1 WHERE \(fence.condition) RETURNING balance
                """
            )
        }

        func begin(_ isolation: String = "READ COMMITTED") async throws {
            try await session.run("BEGIN ISOLATION LEVEL \(isolation)")
        }

        func pass(_ fence: PostgresFence) async throws -> String? {
            try await session.run("EXECUTE fence (\(SQLName.literal(fence.group)), \(fence.term))")
        }

        func writeIfCurrent(_ fence: PostgresFence) async throws -> String? {
            try await session.run("EXECUTE fenced_write (\(SQLName.literal(fence.group)), \(fence.term))")
        }

        func write() async throws { try await session.run("UPDATE \(accounts) SET balance = balance + 1") }
        func commit() async throws { try await session.run("COMMIT") }
        func rollBack() async throws { try await session.run("ROLLBACK") }
        var balance: String? { get async throws { try await session.run("SELECT balance FROM \(accounts)") } }
    }

    private func leader(_ name: String, _ database: TestDatabase) throws -> Contender {
        var leader = try Contender(name, try database.provider())
        leader.lease = .seconds(1)
        return leader
    }

    @Test(.needs(.postgres), arguments: ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
    func theWriteOfAPausedLeaderIsRefused(_ isolation: String) async throws {
        try await TestDatabase.with { database in
            let paused = try leader("paused", database)
            let fence = paused.provider.fence(for: paused.group, term: try await paused.acquireSoon())
            let user = try await User(database, fence)
            try await user.begin(isolation)
            #expect(try await user.pass(fence) == "\(fence.term)")
            try await user.write()
            try await user.commit()
            // The transaction has begun, and sees the database as it was; then the process is paused beyond its lease.
            try await user.begin(isolation)
            #expect(try await user.balance == "1")
            let next = try leader("next", database)
            let later = next.provider.fence(for: next.group, term: try await next.acquireSoonAfterExpiry())
            #expect(later.term > fence.term)
            let error = await #expect(throws: PQFailure.self) { try await user.pass(fence) }
            if isolation == "READ COMMITTED" {
                #expect(error?.message.contains("is not the current one") == true)
            } else {
                #expect(error?.sqlState == "40001")
            }
            await #expect(throws: PQFailure.self) { try await user.write() }
            try await user.rollBack()
            #expect(try await user.balance == "1")
            // The same connection may write for the new leader.
            try await user.begin(isolation)
            #expect(try await user.pass(later) == "\(later.term)")
            try await user.rollBack()
        }
    }

    @Test(.needs(.postgres)) func aConditionalWriteOfAPausedLeaderChangesNothing() async throws {
        try await TestDatabase.with { database in
            let paused = try leader("paused", database)
            let fence = paused.provider.fence(for: paused.group, term: try await paused.acquireSoon())
            let user = try await User(database, fence)
            #expect(try await user.writeIfCurrent(fence) == "1")
            let next = try leader("next", database)
            let later = next.provider.fence(for: next.group, term: try await next.acquireSoonAfterExpiry())
            #expect(try await user.writeIfCurrent(fence) == nil)
            #expect(try await user.writeIfCurrent(later) == "2")
        }
    }

    @Test(.needs(.postgres)) func nobodyIsGrantedTheLeaseWithinAFencedTransactionButRenewalsGoOn() async throws {
        try await TestDatabase.with { database in
            let holder = try leader("holder", database)
            let fence = holder.provider.fence(for: holder.group, term: try await holder.acquireSoon())
            let user = try await User(database, fence)
            try await user.begin()
            #expect(try await user.pass(fence) == "\(fence.term)")
            #expect(try await holder.renew(term: fence.term).isRenewed)
            #expect(try await holder.release(term: fence.term).isReleased)
            let next = try leader("next", database)
            // Neither granted nor kept waiting.
            #expect(try await next.acquire().delay != nil)
            try await user.write()
            try await user.commit()
            #expect(try await next.acquireSoon() > fence.term)
        }
    }

    @Test(.needs(.postgres)) func aReleasedTermIsNotTheCurrentOne() async throws {
        try await TestDatabase.with { database in
            let holder = try leader("holder", database)
            let fence = holder.provider.fence(for: holder.group, term: try await holder.acquireSoon())
            let user = try await User(database, fence)
            #expect(try await holder.release(term: fence.term).isReleased)
            await #expect(throws: PQFailure.self) { try await user.pass(fence) }
            #expect(try await user.writeIfCurrent(fence) == nil)
        }
    }
}

extension Contender {
    /// The term, once the lease of another has run out.
    func acquireSoonAfterExpiry() async throws -> Int64 {
        while case .held(let record) = try await acquire() {
            try await Task.sleep(for: (record.remaining ?? .milliseconds(50)) + .milliseconds(5))
        }
        return try await acquireSoon()
    }
}
#endif
