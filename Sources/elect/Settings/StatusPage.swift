// SPDX-License-Identifier: MIT

/// Where `--http` wants the state of the elections to be served.
struct StatusPage: Sendable {
    let address: String
    let source: String

    /// - Parameter source: what the author of the text calls it.
    init(_ address: String, source: String) throws {
        self.address = address
        self.source = source
        try check()
    }
}
