// SPDX-License-Identifier: MIT

/// A step of a scenario.
package enum Command: Hashable, Sendable {
    /// Something goes wrong; what, is drawn when it happens.
    case trouble
    case mend(process: Int)
    case resume(process: Int)
    case restart(node: Int)
    case storeComesUp
    /// From here on nothing goes wrong any more.
    case heal
    /// By now each group must have one leader.
    case expectLeaders
    /// Nothing may have changed since.
    case expectStability
    case expectHandOver
    case expectTheEnd
}

/// How one world went.
package struct SimulationReport: Sendable {
    package var seed: UInt64
    package var violation: Checker.Violation?
    /// Two runs of one seed must have the same.
    package var fingerprint: UInt64
    package var steps: Int
    package var storeRequests: Int
    package var simulatedNanoseconds: Int64
    /// The last steps, if they were written down.
    package var lines: [String]
}
