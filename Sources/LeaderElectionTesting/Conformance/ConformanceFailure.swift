// SPDX-License-Identifier: MIT

/// A promise of the provider contract that a provider does not keep.
public struct ConformanceFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The case, which is the promise.
    public let promise: String
    /// What happened instead.
    public let observation: String

    /// A broken promise, with what was seen instead of it.
    public init(promise: String, observation: String) {
        self.promise = promise
        self.observation = observation
    }

    /// The promise and what happened instead.
    public var description: String { "\(promise): \(observation)" }
}
