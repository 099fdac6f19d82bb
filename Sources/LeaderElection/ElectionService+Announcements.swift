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
            log(.debug, "renewal failed: \(error.message)", term: term)
        case .jeopardy(let term, let until):
            emit(.jeopardy, term: term, until: until)
            log(.warning, "leadership in jeopardy: the lease could not be renewed", term: term)
        case .recovered(let term, let until):
            emit(.recovered, term: term, until: until)
            log(.notice, "leadership out of jeopardy", term: term)
        case .lost(let term, let reason):
            board.update(role: board.idleRole, leadership: nil, leader: nil, reason: reason)
            emit(.lost, term: term, reason: reason)
            log(reason == .resigned || reason == .stopped ? .notice : .error, "leadership ended: \(reason)", term: term)
        case .leaderChanged(let reason):
            if let leader = machine.leader { channel.assumeIsolated { $0.saw(term: leader.term, in: group) } }
            board.update(
                role: machine.term == nil ? board.idleRole : .leader,
                leadership: machine.term.map { leadership(of: $0) },
                leader: machine.leader,
                reason: reason
            )
            emit(.changed, term: machine.term, reason: reason)
            log(.info, machine.leader.map { "leader is \($0.id)" } ?? "nobody leads", term: machine.leader?.term)
        case .transferEnded(let error): transferEnded(error)
        case .error(let error):
            emit(.error, term: machine.term, error: error)
            log(.error, "\(error.code): \(error.message)", term: machine.term)
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
        until: ElectionInstant? = nil
    ) {
        board.send(
            ElectionEvent(
                kind: kind,
                group: group,
                candidate: candidate.id,
                term: term,
                leader: machine.leader,
                reason: reason,
                error: error,
                instant: clock.now,
                validUntil: until
            )
        )
    }

    private func log(_ level: Logger.Level, _ message: Logger.Message, term: Int64?) {
        logger.log(level: level, message, metadata: term.map { ["election-term": "\($0)"] })
    }
}
