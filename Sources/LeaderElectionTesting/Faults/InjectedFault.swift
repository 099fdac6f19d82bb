// SPDX-License-Identifier: MIT

public import LeaderElection

/// A fault that happened.
public struct InjectedFault: Sendable, CustomStringConvertible {
    /// The place of its rule in the list of rules.
    public let rule: Int
    /// What the fault is called.
    public let fault: String
    /// What it interfered with.
    public let operation: FaultRule.Operation
    /// The group concerned; nil for a hint about all of them.
    public let group: ElectionGroup?
    /// When it happened.
    public let instant: ElectionInstant

    /// One line for a log.
    public var description: String {
        "\(instant.nanoseconds) \(operation.rawValue) [\(group?.name ?? "*")]: \(fault) (rule \(rule))"
    }
}
