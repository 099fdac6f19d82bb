// SPDX-License-Identifier: MIT

internal import LeaderElection

/// Ends the program with a message on standard error and an exit code.
struct CommandFailure: Error {
    var code: Int32
    var message: String

    /// What the caller wrote cannot be meant.
    static func usage(_ message: String) -> Self { Self(code: 64, message: message) }

    /// The store cannot be reached, or does not do what it should.
    static func unavailable(_ message: String) -> Self { Self(code: 69, message: message) }
}

extension CommandFailure {
    init(_ error: ElectionError) {
        let isUsage = [.invalidGroup, .invalidCandidate, .invalidConfiguration].contains(error.code)
        self.init(code: isUsage ? 64 : 69, message: error.message)
    }

    /// Runs `body` with every error of an election turned into the failure that it means.
    ///
    /// - Parameter prefix: what the message begins with.
    static func translating<Result>(from prefix: String = "", _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as ElectionError {
            var failure = CommandFailure(error)
            failure.message = prefix + failure.message
            throw failure
        }
    }
}
