// SPDX-License-Identifier: MIT

internal import Logging

/// What listeners, readers and logs are told.
extension ElectionService {
    func announce(_ announcement: ElectionAction.Announcement) {
        switch announcement {
        case .ready:
            board.update(role: board.idleRole, leadership: nil, leader: nil, reason: .initial)
            emit(.ready)
        case .acquired(let term, let until):
            board.update(role: .leader, leadership: leadership(of: term), leader: machine.leader, reason: .elected)
            emit(.acquired, term: term, until: until)
            log(.notice, "leading", term: term)
        case .renewed(let term, let until):
            emit(.renewed, term: term, until: until)
            log(.trace, "lease renewed", term: term)
        case .renewalFailed(let term, let error):
            emit(.renewalFailed, term: term, error: error)
            log(.debug, "renewal failed: \(error.message)", term: term, error: error)
        case .jeopardy(let term, let until):
            emit(.jeopardy, term: term, until: until)
            // Where one group is in jeopardy, all groups of the same store are.
            let level: Logger.Level = isNews("jeopardy") ? .warning : .debug
            log(level, "leadership in jeopardy: the lease could not be renewed", term: term)
        case .recovered(let term, let until):
            emit(.recovered, term: term, until: until)
            log(.notice, "leadership out of jeopardy", term: term)
        case .lost(let term, let reason):
            board.update(role: board.idleRole, leadership: nil, leader: nil, reason: reason)
            emit(.lost, term: term, reason: reason)
            let level: Logger.Level = reason == .resigned || reason == .stopped ? .notice : .error
            log(level, "leadership ended: \(reason)", term: term, reason: reason)
        case .leaderChanged(let reason):
            if let leader = machine.leader { channel.assumeIsolated { $0.saw(term: leader.term, in: group) } }
            board.update(
                role: machine.term == nil ? board.idleRole : .leader,
                leadership: machine.term.map { leadership(of: $0) },
                leader: machine.leader,
                reason: reason
            )
            emit(.changed, term: machine.term, reason: reason)
            let leader = machine.leader
            log(.info, leader.map { "leader is \($0.id)" } ?? "nobody leads", term: leader?.term, reason: reason)
        case .deferred(let reason, let retry):
            emit(.deferred, reason: ElectionReason(rawValue: reason), retryAt: retry)
            // The store does not tell one group from another.
            let level: Logger.Level = isNews(reason) ? .warning : .debug
            log(level, "nobody may lead for \((retry - clock.now).text()): \(reason)", term: nil)
        case .transferEnded(let error): transferEnded(error)
        case .error(let error):
            emit(.error, term: machine.term, error: error)
            let level: Logger.Level = isNews(error.message) ? .error : .debug
            log(level, "\(error.code): \(error.message)", term: machine.term, error: error)
        }
    }

    private func leadership(of term: Int64) -> Leadership {
        Leadership(group: group, candidate: candidate.id, term: term, cell: cell)
    }

    func emit(
        _ kind: ElectionEvent.Kind,
        term: Int64? = nil,
        reason: ElectionReason? = nil,
        error: ElectionError? = nil,
        until: ElectionInstant? = nil,
        retryAt: ElectionInstant? = nil
    ) {
        let now = clock.now
        board.health.saw(kind, error: error, until: until, at: now)
        guard board.isHeard else { return }
        board.send(
            ElectionEvent(
                kind: kind,
                group: group,
                candidate: candidate.id,
                term: term,
                leader: machine.leader,
                reason: reason,
                error: error,
                instant: now,
                validUntil: until,
                retryAt: retryAt
            )
        )
    }

    private func isNews(_ text: String) -> Bool { channel.assumeIsolated { $0.isNews(text) } }

    private func log(
        _ level: Logger.Level,
        _ message: @autoclosure () -> Logger.Message,
        term: Int64?,
        reason: ElectionReason? = nil,
        error: ElectionError? = nil
    ) {
        guard logger.logLevel <= level else { return }
        var metadata: Logger.Metadata = [:]
        if let term { metadata["election-term"] = "\(term)" }
        if let reason { metadata["election-reason"] = "\(reason)" }
        if let error { metadata["election-error"] = "\(error.code)" }
        logger.log(level: level, message(), metadata: metadata)
    }
}
