// SPDX-License-Identifier: MIT

/// What `elect` tells its guardian; one packet each.
enum GuardianOrder: Sendable, Equatable {
    /// The lease is valid until then (nanoseconds of the boot clock); the first of these starts the command.
    case deadline(Int64)
    /// Tell the command to end.
    case stop
    /// End the command now.
    case kill

    var text: String {
        switch self {
        case .deadline(let instant): "deadline \(instant)"
        case .stop: "stop"
        case .kill: "kill"
        }
    }

    init?(_ text: String) {
        let words = text.split(separator: " ")
        switch (words.first, words.count) {
        case ("deadline", 2):
            guard let instant = Int64(words[1]) else { return nil }
            self = .deadline(instant)
        case ("stop", 1): self = .stop
        case ("kill", 1): self = .kill
        default: return nil
        }
    }
}

/// What the guardian tells `elect`; one packet each.
enum GuardianReport: Sendable, Equatable {
    /// The command runs under this process number, which is also that of its process group.
    case started(process: Int32)
    /// The command cannot be run, with the system's error number.
    case failed(error: Int32)
    /// There was too little time left to start anything.
    case tooLate
    /// Nothing of the command is left. `signal` is 0 if it returned `code` itself.
    case ended(code: Int32, signal: Int32, cause: GuardianPlan.Cause)

    var text: String {
        switch self {
        case .started(let process): "started \(process)"
        case .failed(let error): "failed \(error)"
        case .tooLate: "late"
        case .ended(let code, let signal, let cause): "ended \(code) \(signal) \(cause.rawValue)"
        }
    }

    init?(_ text: String) {
        let words = text.split(separator: " ")
        switch (words.first, words.count) {
        case ("started", 2):
            guard let process = Int32(words[1]) else { return nil }
            self = .started(process: process)
        case ("failed", 2):
            guard let error = Int32(words[1]) else { return nil }
            self = .failed(error: error)
        case ("late", 1): self = .tooLate
        case ("ended", 4):
            guard let code = Int32(words[1]), let signal = Int32(words[2]),
                let cause = GuardianPlan.Cause(rawValue: String(words[3]))
            else { return nil }
            self = .ended(code: code, signal: signal, cause: cause)
        default: return nil
        }
    }
}
