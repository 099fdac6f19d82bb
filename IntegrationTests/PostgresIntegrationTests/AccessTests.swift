// SPDX-License-Identifier: MIT
#if Postgres
internal import Foundation
internal import IntegrationSupport
internal import LeaderElection
internal import LeaderElectionPostgres
internal import Testing

/// The ways in that libpq knows, and a server that has no room left.
@Suite(.timeLimit(.minutes(2)))
struct AccessTests {
    private func withFile<Result>(
        _ text: String,
        _ body: (String) async throws -> Result
    ) async throws -> Result {
        let file = FileManager.default.temporaryDirectory.appending(path: "election-\(Nonce())")
        #expect(
            FileManager.default.createFile(
                atPath: file.path,
                contents: Data(text.utf8),
                attributes: [.posixPermissions: 0o600]
            )
        )
        defer { try? FileManager.default.removeItem(at: file) }
        return try await body(file.path)
    }

    @Test(.needs(.postgres)) func aPasswordMayComeFromAPassfile() async throws {
        try await TestDatabase.with { database in
            let bare = database.url.replacing(":elect-secret", with: "")
            try await withFile("localhost:*:elections:elect:elect-secret\n") { path in
                let contender = try Contender("candidate", try database.provider(url: bare + "?passfile=\(path)"))
                #expect(try await contender.acquire().term != nil)
            }
            try await withFile("localhost:*:elections:elect:not-this-one\n") { path in
                let contender = try Contender("candidate", try database.provider(url: bare + "?passfile=\(path)"))
                let error = await contender.refusal()
                #expect(error?.code == .storeRefused)
                #expect(error?.message.contains("passfile") == true)
                #expect(error?.message.contains("not-this-one") == false)
            }
        }
    }

    @Test(.needs(.postgres)) func aServiceFileMayTellEverything() async throws {
        try await TestDatabase.with { database in
            let port = try #require(NetworkAddress.all(in: database.url).first?.port)
            let service = """
                [election]
                host=localhost
                port=\(port)
                dbname=elections
                user=elect
                password=elect-secret

                """
            try await withFile(service) { path in
                // libpq of that time has no setting for it but the environment.
                setenv("PGSERVICEFILE", path, 1)
                defer { unsetenv("PGSERVICEFILE") }
                let url = "postgres://?service=election"
                #expect(try await Contender("candidate", try database.provider(url: url)).acquire().term != nil)
                let unknown = try database.provider(url: "postgres://?service=nothing-like-it")
                #expect(
                    await (try Contender("candidate", unknown)).refusal()?.message.contains("nothing-like-it") == true
                )
            }
        }
    }

    @Test(.needsOwn(.postgres)) func aClientCertificateIsAsGoodAsAPassword() async throws {
        try await PrivateServer.with(.postgres) { server in
            let directory = FileManager.default.temporaryDirectory.appending(path: "certificates-\(Nonce())")
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: directory) }
            for name in ["elect", "stranger"] { try await certify(name, in: directory) }
            let rules = "hostssl all elect 127.0.0.1/32 cert\nhost all all 127.0.0.1/32 scram-sha-256\n"
            let file = directory.appending(path: "hba").path
            try Data(rules.utf8).write(to: URL(filePath: file))
            try await server.sql("ALTER SYSTEM SET hba_file = '\(file)'")
            try await server.sql("ALTER SYSTEM SET ssl_ca_file = '\(directory.path)/elect.crt'")
            try await server.restart()
            let bare = server.url.replacing(":elect-secret", with: "").replacing("localhost", with: "127.0.0.1")
            func provider(_ name: String) throws -> PostgresElectionProvider {
                let files = "sslcert=\(directory.path)/\(name).crt&sslkey=\(directory.path)/\(name).key"
                return try PostgresElectionProvider(bare + "?sslmode=require&\(files)")
            }
            #expect(try await Contender("candidate", try provider("elect")).acquireSoon() > 0)
            let error = await (try Contender("candidate", try provider("stranger"))).refusal()
            #expect(error?.code == .storeRefused, "\(String(describing: error))")
            #expect(error?.message.contains("certificate") == true)
        }
    }

    @Test(.needsOwn(.postgres)) func aServerWithoutRoomIsToldAndJoinedWhenThereIsSome() async throws {
        try await PrivateServer.with(.postgres) { server in
            try await server.sql("ALTER SYSTEM SET max_connections = 16")
            try await server.restart()
            var sessions: [TestSession] = []
            do {
                while sessions.count < 20 {
                    let session = TestSession(server.url)
                    try await session.run("SELECT 1")
                    sessions.append(session)
                }
                Issue.record("there was room for \(sessions.count) connections")
            } catch {}
            let contender = try Contender("candidate", try PostgresElectionProvider(server.url))
            let error = await contender.refusal()
            #expect(error?.code == .storeUnavailable)
            #expect(error?.message.contains("max_connections") == true, "\(String(describing: error))")
            for session in sessions.prefix(2) { await session.close() }
            #expect(try await contender.acquireSoon() > 0)
        }
    }

    /// A key, and a certificate that nobody but itself has signed.
    private func certify(_ name: String, in directory: URL) async throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        let (key, certificate) = ("\(directory.path)/\(name).key", "\(directory.path)/\(name).crt")
        process.arguments = [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=\(name)",
            "-keyout", key, "-out", certificate,
        ]
        process.standardError = FileHandle.nullDevice
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            process.terminationHandler = { _ in done.resume() }
            do { try process.run() } catch {
                process.terminationHandler = nil
                done.resume(throwing: error)
            }
        }
        #expect(process.terminationStatus == 0)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
    }
}
#endif
