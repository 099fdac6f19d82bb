// SPDX-License-Identifier: MIT

internal import LeaderElection
internal import LeaderElectionConfiguration
internal import Logging

/// A store as it is named on the command line; never printed as it was given, because it may hold a password.
struct ProviderURL: Sendable, Equatable {
    typealias Store = StoreURL.Store

    private var url: StoreURL
    var store: Store { url.store }

    /// - Parameter source: what the author of the text calls it.
    init(_ text: String, source: String) throws {
        url = try CommandFailure.translating { try StoreURL(text, source: source) }
    }

    /// Takes what options say beside the URL.
    mutating func read(_ settings: Settings, _ given: [String: [String]]) throws {
        try CommandFailure.translating { try url.read(settings.with(given)) }
    }

    /// The provider of the store.
    ///
    /// - Parameter readOnly: make nothing that is not there.
    func provider(readOnly: Bool, logger: Logger) throws -> any ElectionProvider {
        try CommandFailure.translating { try url.provider(readOnly: readOnly, logger: logger) }
    }
}
