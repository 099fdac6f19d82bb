// SPDX-License-Identifier: MIT

#if HTTP
internal import LeaderElection
internal import LeaderElectionHTTP

extension StatusPage {
    func check() throws {
        do {
            _ = try ListenAddress(address)
        } catch let error as ElectionError {
            throw CommandFailure.usage("\(source): \(error.message)")
        }
    }

    /// Serves the page, if there is to be one, while `body` runs; the body begins once the page can be reached.
    ///
    /// A page that fails later is complained about, and the elections go on.
    static func serve(
        _ page: StatusPage?,
        of services: [ElectionService],
        while body: () async throws -> Void
    ) async throws {
        guard let page else { return try await body() }
        let (places, continuation) = AsyncThrowingStream.makeStream(of: String.self)
        let server = try ElectionStatusServer(services, on: page.address) { place in
            continuation.yield(place)
            continuation.finish()
        }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await page.run(server, continuation) }
            for try await place in places { Output.note("elect: status page on http://\(place)") }
            defer { tasks.cancelAll() }
            try await body()
        }
    }

    private func run(
        _ server: ElectionStatusServer,
        _ listening: AsyncThrowingStream<String, any Error>.Continuation
    ) async {
        do {
            try await server.run()
        } catch let error as StatusServerError {
            listening.finish(throwing: CommandFailure.unavailable("\(source): \(error)"))
        } catch {
            Output.complain("\(source): the status page ended: \(error)")
        }
    }
}
#endif
