// SPDX-License-Identifier: MIT

package import LeaderElection

extension Checker {
    // MARK: S2, S8: what the store does

    /// The store answered one acquisition with a grant.
    package mutating func granted(_ term: Int64, to nonce: Nonce, group: Int, isNew: Bool) {
        guard !termsMayRegress else { return }
        if let owner = groups[group].owner[term], owner != nonce {
            fail("S2", "term \(term) of group \(group) was granted to two nonces, \(owner) and \(nonce)")
        }
        if isNew {
            let last = groups[group].lastGrant
            if term <= last { fail("S2", "group \(group) was granted in term \(term) after term \(last)") }
            groups[group].lastGrant = max(last, term)
        }
        groups[group].owner[term] = nonce
    }

    /// One request changed one record.
    ///
    /// - Parameters:
    ///   - holder: the nonce and term of the lease that stood before, nil if none did.
    ///   - nonce: the nonce that asked.
    ///   - replaces: a nonce that the request may replace.
    package mutating func recordChanged(
        by kind: ElectionOperation.Kind,
        group: Int,
        holder: (nonce: Nonce, term: Int64)?,
        nonce: Nonce,
        term: Int64?,
        replaces: Nonce? = nil
    ) {
        switch kind {
        case .acquire:
            guard let holder, holder.nonce != nonce else { return }
            if holder.nonce != replaces {
                fail("S8", "an acquisition took term \(holder.term) of group \(group) from its holder")
            } else if let old = nonces[holder.nonce], let new = nonces[nonce], old.process != new.process {
                fail("S8", "process \(new.process) replaced a lease of process \(old.process) as its own")
            }
        case .renew, .release:
            guard let holder, holder.nonce == nonce, term.map({ $0 == holder.term }) ?? true else {
                fail(
                    "S8",
                    """
                    a \(kind.rawValue) of (\(nonce), \(term ?? 0)) changed group \(group), which \
                    \(holder.map { "(\($0.nonce), \($0.term))" } ?? "nobody") held
                    """
                )
                return
            }
        }
    }

    /// The store told a process that its term is not its own any more.
    package mutating func denied(_ term: Int64, process: Int, group: Int) {
        withService(process, group) { _ = $0.deniedTerms.insert(term) }
    }

    // MARK: C2, C5, S7, S9: what the engine's audit trail says

    /// One line of the audit trail of a process; `leads` is whether it still says that it leads in the line's term.
    package mutating func audited(_ operation: ElectionOperation, process: Int, group: Int, leads: Bool) {
        switch (operation.kind, operation.phase) {
        case (.acquire, .send):
            if let notes = nonces[operation.nonce], notes.process != process {
                fail("S9", "process \(process) uses the nonce of process \(notes.process)")
            }
            // The answer may be one to an earlier request of the same nonce: only the first tells what must be larger.
            let before = nonces[operation.nonce]?.largestAtSend ?? groups[group].completed?.term ?? 0
            nonces[operation.nonce] = NonceNotes(
                process: process,
                group: group,
                lastSend: operation.instant,
                largestAtSend: before
            )
        case (.acquire, .ok): acquired(operation, process: process, group: group)
        case (.renew, .send):
            checkOwner(operation, process: process, group: group)
            nonces[operation.nonce]?.lastSend = operation.instant
        case (.release, .send):
            if leads {
                fail("S7", "process \(process) asks to release group \(group) while it still leads there")
            }
            if operation.term != nil { checkOwner(operation, process: process, group: group) }
            checkWork(operation, process: process, group: group)
        default: break
        }
    }

    private mutating func acquired(_ operation: ElectionOperation, process: Int, group: Int) {
        guard let term = operation.term, !termsMayRegress, term > groups[group].forgotten else { return }
        if let notes = nonces[operation.nonce], term <= notes.largestAtSend {
            fail(
                "S2",
                """
                process \(process) was granted term \(term) of group \(group), asked for after the grant of term \
                \(notes.largestAtSend) had arrived
                """
            )
        }
        if groups[group].owner[term] != operation.nonce {
            fail("S2", "process \(process) holds term \(term) of group \(group), which was granted to another nonce")
        }
        if term > groups[group].completed?.term ?? 0 { groups[group].completed = (term, operation.nonce) }
    }

    private mutating func checkOwner(_ operation: ElectionOperation, process: Int, group: Int) {
        guard let term = operation.term, !termsMayRegress else { return }
        guard groups[group].owner[term] == operation.nonce else {
            fail(
                "S9",
                "process \(process) sends a \(operation.kind.rawValue) of term \(term) with a nonce that never held it"
            )
            return
        }
    }

    /// A lease that ends on purpose is given back only once its work has ended, or at its very end.
    private mutating func checkWork(_ operation: ElectionOperation, process: Int, group: Int) {
        guard let term = operation.term else { return }
        withService(process, group) { notes in
            guard notes.bodies[term] ?? 0 > 0, let last = notes.lastDeadline, last.term == term,
                operation.instant < last.instant
            else { return }
            // The event that says why the term ended reaches its subscriber after this.
            notes.releasedDuringWork.insert(term)
        }
    }

    /// C5: a deadline counts from the last request that was sent, never from an answer.
    package mutating func claimed(
        _ term: Int64,
        lease: Duration,
        deadline: ElectionInstant,
        process: Int,
        group: Int
    ) {
        guard !termsMayRegress, let nonce = groups[group].owner[term], let notes = nonces[nonce] else { return }
        let latest = notes.lastSend.nanoseconds + validity(lease)
        if deadline.nanoseconds > latest + 1000 {
            fail(
                "C5",
                """
                process \(process) claims to lead for \((deadline.nanoseconds - latest) / 1000) µs longer than its \
                last request allows
                """
            )
        }
    }

    // MARK: S10: what subscribers are told

    package mutating func delivered(_ event: ElectionEvent, process: Int, group: Int) {
        var who: String { "process \(process) in group \(group)" }
        let notes = withService(process, group) { $0 }
        switch event.kind {
        case .acquired:
            let term = event.term ?? 0
            if let open = notes.eventTerm { fail("S10", "\(who): acquired \(term) before lost \(open)") }
            if term <= notes.lastEventTerm {
                fail("S10", "\(who): acquired \(term) after term \(notes.lastEventTerm)")
            }
            withService(process, group) { ($0.eventTerm, $0.lastEventTerm) = (term, term) }
        case .lost:
            let term = event.term ?? 0
            if notes.eventTerm != term { fail("S10", "\(who): lost \(term), which was not open") }
            if event.reason == .superseded, !notes.deniedTerms.contains(term) {
                fail("S9", "\(who): gave up term \(term) as superseded, which the store never said of it")
            }
            withService(process, group) { notes in
                notes.eventTerm = nil
            }
            let isOrderly = event.reason.map { [.stopped, .resigned, .transferred, .suspended].contains($0) } ?? false
            if isOrderly, notes.releasedDuringWork.contains(term) {
                fail("W1", "\(who): gave term \(term) back on purpose while its work was still running")
            }
        case .renewed, .jeopardy, .recovered, .renewalFailed:
            if notes.eventTerm != event.term {
                fail("S10", "\(who): \(event.kind.rawValue) of term \(event.term ?? 0), which is not open")
            }
        case .stopped:
            if let open = notes.eventTerm { fail("S10", "\(who): stopped before lost \(open)") }
        case .ready, .changed, .deferred, .error: break
        }
    }

    package mutating func delivered(_ change: LeadershipChange, process: Int, group: Int) {
        var who: String { "process \(process) in group \(group)" }
        let notes = withService(process, group) { $0 }
        if change.previousTerm != notes.changeTerm {
            fail(
                "S10",
                "\(who): a change names \(change.previousTerm ?? 0) as the term before, not \(notes.changeTerm ?? 0)"
            )
        }
        if change.becameLeader, let term = change.term, term <= notes.lastChangeTerm {
            fail("S10", "\(who): a change to term \(term) after term \(notes.lastChangeTerm)")
        }
        if (change.role == .leader) != (change.term != nil) {
            fail("S10", "\(who): a change has the role \(change.role.rawValue) in term \(change.term ?? 0)")
        }
        withService(process, group) { notes in
            notes.changeTerm = change.term
            notes.lastChangeTerm = max(notes.lastChangeTerm, change.term ?? 0)
        }
    }

    // MARK: S3: the fenced resource, and the work that writes to it

    package mutating func workBegan(_ term: Int64, process: Int, group: Int) {
        withService(process, group) { $0.bodies[term, default: 0] += 1 }
    }

    package mutating func workEnded(_ term: Int64, process: Int, group: Int) {
        withService(process, group) { $0.bodies[term, default: 0] -= 1 }
    }

    /// A write arrives at the resource; it may be long after the check that permitted it.
    ///
    /// - Returns: whether the fence let it through.
    package mutating func wrote(_ term: Int64, process: Int, group: Int) -> Bool {
        guard term >= groups[group].resourceTerm else { return false }
        if !termsMayRegress {
            if term == groups[group].resourceTerm, let writer = groups[group].resourceWriter, writer != process {
                fail("S3", "processes \(writer) and \(process) both wrote to group \(group) in term \(term)")
            }
            if let owner = groups[group].owner[term], let notes = nonces[owner], notes.process != process {
                fail("S3", "process \(process) wrote in term \(term), which process \(notes.process) was granted")
            }
        }
        (groups[group].resourceTerm, groups[group].resourceWriter) = (term, process)
        groups[group].acceptedWrites += 1
        return true
    }
}
