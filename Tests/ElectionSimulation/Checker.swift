// SPDX-License-Identifier: MIT

package import LeaderElection

/// Holds a history against the invariants of an election, and remembers the first that is broken.
///
/// It sees what an outside observer with a perfect clock would see; times are real nanoseconds. Processes and groups
/// are small numbers, so that it can keep its notes in arrays.
package struct Checker: Sendable {
    /// A broken promise.
    package struct Violation: Error, Hashable, Sendable, CustomStringConvertible {
        package var invariant: String
        package var message: String
        package var description: String { "\(invariant): \(message)" }

        package init(invariant: String, message: String) {
            self.invariant = invariant
            self.message = message
        }
    }

    /// What one service answered when it was asked whether it leads.
    package struct Reading: Sendable {
        package var process: Int
        package var group: Int
        /// The term in which it says that it leads.
        package var term: Int64?
        /// The deadline that it names, on its own clock and in real time.
        package var deadline: ElectionInstant?
        package var realDeadline: Int64?
        /// The largest term that it has told its user about.
        package var seenTerm: Int64?
        /// Its clock stood still in this process's life: only the wall-clock guard can end its claims.
        package var hadUnseenFreeze: Bool

        package init(
            process: Int,
            group: Int,
            term: Int64?,
            deadline: ElectionInstant? = nil,
            realDeadline: Int64? = nil,
            seenTerm: Int64? = nil,
            hadUnseenFreeze: Bool = false
        ) {
            self.process = process
            self.group = group
            self.term = term
            self.deadline = deadline
            self.realDeadline = realDeadline
            self.seenTerm = seenTerm
            self.hadUnseenFreeze = hadUnseenFreeze
        }
    }

    struct ServiceNotes {
        var term: Int64?
        var endedTerm: Int64 = 0
        var seenTerm: Int64 = 0
        var bodies: [Int64: Int] = [:]
        var deniedTerms: Set<Int64> = []
        var releasedDuringWork: Set<Int64> = []
        var lastDeadline: (term: Int64, instant: ElectionInstant)?
        var eventTerm: Int64?
        var lastEventTerm: Int64 = 0
        var changeTerm: Int64?
        var lastChangeTerm: Int64 = 0
    }

    struct NonceNotes {
        var process: Int
        var group: Int
        var lastSend: ElectionInstant
        /// The largest term that others were known to hold when this nonce last asked.
        var largestAtSend: Int64
    }

    struct GroupNotes {
        var lastGrant: Int64 = 0
        var owner: [Int64: Nonce] = [:]
        /// Grants from before the store lost its data: exclusion does not extend to them.
        var forgotten: Int64 = 0
        var completed: (term: Int64, nonce: Nonce)?
        var resourceTerm: Int64 = 0
        var resourceWriter: Int?
        var acceptedWrites = 0
    }

    let groupCount: Int
    let validity: @Sendable (Duration) -> Int64
    /// Terms may go back when the store loses its data together with its clock: only S4 and S6 hold then.
    let termsMayRegress: Bool
    /// The longest that the wall-clock guard lets a claim outlive its lease after an unseen freeze.
    let freezeSlack: Int64
    var services: [ServiceNotes] = []
    var nonces: [Nonce: NonceNotes] = [:]
    var groups: [GroupNotes]
    package private(set) var violation: Violation?

    package init(
        groups: Int,
        termsMayRegress: Bool = false,
        freezeSlack: Int64 = 0,
        validity: @escaping @Sendable (Duration) -> Int64
    ) {
        groupCount = groups
        self.groups = Array(repeating: GroupNotes(), count: groups)
        self.termsMayRegress = termsMayRegress
        self.freezeSlack = freezeSlack
        self.validity = validity
    }

    package mutating func fail(_ invariant: String, _ message: @autoclosure () -> String) {
        if violation == nil { violation = Violation(invariant: invariant, message: message()) }
    }

    func key(_ process: Int, _ group: Int) -> Int { process * groupCount + group }

    mutating func withService<Result>(
        _ process: Int,
        _ group: Int,
        _ body: (inout ServiceNotes) -> Result
    ) -> Result {
        let key = key(process, group)
        while services.count <= key { services.append(ServiceNotes()) }
        return body(&services[key])
    }

    // MARK: S1, S4, S5, S6: what may be read, at one instant

    /// - Parameters:
    ///   - readings: all that have a term, and those that may have lost one.
    ///   - storeDeadline: the real time at which the store may grant the group anew, if `term` holds it.
    package mutating func read(
        _ readings: [Reading],
        at now: Int64,
        storeDeadline: (_ group: Int, _ term: Int64) -> Int64?
    ) {
        // Exclusion first: it is what everything else is there for.
        for (index, reading) in readings.enumerated() {
            guard let term = reading.term, excludes(reading) else { continue }
            for other in readings[..<index] where other.group == reading.group && other.term != nil && excludes(other) {
                fail(
                    "S1",
                    """
                    processes \(other.process) and \(reading.process) lead group \(reading.group) together, \
                    in terms \(other.term ?? 0) and \(term)
                    """
                )
            }
        }
        for reading in readings { check(reading, at: now, storeDeadline: storeDeadline) }
    }

    private func excludes(_ reading: Reading) -> Bool {
        (reading.term ?? 0) > groups[reading.group].forgotten && !reading.hadUnseenFreeze
    }

    private mutating func check(
        _ reading: Reading,
        at now: Int64,
        storeDeadline: (_ group: Int, _ term: Int64) -> Int64?
    ) {
        let key = key(reading.process, reading.group)
        while services.count <= key { services.append(ServiceNotes()) }
        if let term = reading.term {
            if term != services[key].term { checkNewTerm(term, reading, services[key]) }
            checkDeadline(reading, term: term, at: now, storeDeadline: storeDeadline)
            if let deadline = reading.deadline { services[key].lastDeadline = (term, deadline) }
        }
        if let old = services[key].term, old != reading.term {
            services[key].endedTerm = max(services[key].endedTerm, old)
        }
        services[key].term = reading.term
        if let seen = reading.seenTerm, seen > services[key].seenTerm { services[key].seenTerm = seen }
    }

    private mutating func checkNewTerm(_ term: Int64, _ reading: Reading, _ notes: ServiceNotes) {
        let who = "process \(reading.process) in group \(reading.group)"
        if term <= notes.endedTerm {
            fail("S6", "\(who) leads in term \(term) again, after term \(notes.endedTerm) had ended for it")
        }
        if term < notes.seenTerm {
            fail("S4", "\(who) leads in term \(term), although it knew of term \(notes.seenTerm)")
        }
        if let before = notes.term, term < before { fail("S4", "\(who) went from term \(before) to term \(term)") }
    }

    private mutating func checkDeadline(
        _ reading: Reading,
        term: Int64,
        at now: Int64,
        storeDeadline: (_ group: Int, _ term: Int64) -> Int64?
    ) {
        var who: String { "process \(reading.process) in group \(reading.group), term \(term)" }
        guard term > groups[reading.group].forgotten else { return }
        let last = storeDeadline(reading.group, term)
        if reading.hadUnseenFreeze {
            if (last ?? 0) + freezeSlack < now, last != nil {
                fail(
                    "S5",
                    "\(who): after a freeze the claim outlives its lease by \((now - (last ?? 0)) / 1_000_000) ms"
                )
            }
            return
        }
        guard let claimed = reading.realDeadline else { return }
        guard let last else {
            fail("S5", "\(who): claims to lead although the store could grant the group to anybody")
            return
        }
        // A microsecond for rounding between three clocks.
        if claimed > last + 1000 {
            fail(
                "S5",
                "\(who): claims to lead for \((claimed - last) / 1000) µs longer than the store keeps others off"
            )
        }
    }

    // MARK: Verdicts from outside

    /// The store lost its data: what it granted so far no longer excludes anybody.
    package mutating func storeForgot() {
        for index in groups.indices { groups[index].forgotten = groups[index].lastGrant }
        if termsMayRegress {
            for index in groups.indices {
                groups[index].lastGrant = 0
                groups[index].forgotten = .max
                groups[index].completed = nil
            }
        }
    }
}
