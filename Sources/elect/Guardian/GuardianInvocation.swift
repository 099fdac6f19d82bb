// SPDX-License-Identifier: MIT

/// What a guardian is started with; travels as its arguments.
struct GuardianInvocation: Sendable, Equatable {
    /// The descriptor on which `elect` gives its orders.
    var channel: Int32
    /// Descriptors to hold open until the end: the store's kernel locks.
    var kept: [Int32]
    var budgets: GuardianPlan.Budgets
    /// The command's soft limit of descriptors; `elect` may have raised its own.
    var openFiles: UInt64
    var command: [String]

    init(channel: Int32, kept: [Int32], budgets: GuardianPlan.Budgets, openFiles: UInt64, command: [String]) {
        self.channel = channel
        self.kept = kept
        self.budgets = budgets
        self.openFiles = openFiles
        self.command = command
    }

    /// Everything behind the hidden first argument.
    var arguments: [String] {
        let numbers = [Int64(channel), budgets.term, budgets.kill, budgets.shutdown].map { String($0) }
        let descriptors = kept.map { String($0) }.joined(separator: ",")
        return numbers + [String(openFiles), "[\(descriptors)]", "--"] + command
    }

    /// Nil if these are not the arguments of a guardian.
    init?(_ arguments: [String]) {
        guard arguments.count > 7, arguments[6] == "--", arguments[5].hasPrefix("["), arguments[5].hasSuffix("]"),
            let channel = Int32(arguments[0]),
            let term = Int64(arguments[1]),
            let kill = Int64(arguments[2]),
            let shutdown = Int64(arguments[3]),
            let openFiles = UInt64(arguments[4])
        else { return nil }
        let listed = arguments[5].dropFirst().dropLast().split(separator: ",")
        let kept = listed.compactMap { Int32($0) }
        guard kept.count == listed.count else { return nil }
        self.init(
            channel: channel,
            kept: kept,
            budgets: GuardianPlan.Budgets(term: term, kill: kill, shutdown: shutdown),
            openFiles: openFiles,
            command: Array(arguments[7...])
        )
    }
}
