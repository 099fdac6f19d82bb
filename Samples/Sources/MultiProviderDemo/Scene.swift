// SPDX-License-Identifier: MIT

internal import LeaderElection

/// All that is known of the elections, as reported by the candidates and done by the demo.
struct Scene {
    enum Place: Int, CaseIterable, Sendable {
        case memory, file, sqlite

        var name: String { ["in memory", "file", "SQLite"][rawValue] }
        var prefix: String { ["memory", "file", "sqlite"][rawValue] }
    }

    enum Life: Equatable {
        case starting, follows, leads, standingDown, paused, killed
    }

    struct Member {
        var life = Life.starting
        var process: Int32?
    }

    struct Store {
        var members: [String: Member] = [:]
        var leader: String?
        var term: Int64?
        var validUntil: Int64?
        /// What was done to the last leader, and when, until somebody leads again.
        var cause: (what: String, nanoseconds: Int64)?
        var handOvers: [(what: String, milliseconds: Double)] = []
    }

    let start = SystemClock().now.nanoseconds
    private(set) var stores = [Store](repeating: Store(), count: Place.allCases.count)
    private(set) var timeline: [String] = []

    subscript(place: Place) -> Store {
        get { stores[place.rawValue] }
        set { stores[place.rawValue] = newValue }
    }

    /// Takes a report in; returns the lines that it adds to the timeline.
    mutating func hear(_ word: Word, at place: Place) {
        guard let member = self[place].members[word.candidate] else { return }
        switch word.event {
        case "acquired":
            self[place].members[word.candidate]?.life = .leads
            self[place].leader = word.candidate
            self[place].term = word.term
            self[place].validUntil = word.validUntil
            note(word.nanoseconds, place, "\(word.candidate) leads in term \(word.term ?? 0)" + measured(word, place))
        case "renewed", "recovered":
            if self[place].leader == word.candidate { self[place].validUntil = word.validUntil }
        case "lost":
            self[place].members[word.candidate]?.life = .follows
            if self[place].leader == word.candidate, self[place].term == word.term {
                self[place].leader = nil
                self[place].validUntil = nil
            }
            note(word.nanoseconds, place, "\(word.candidate) leads no more: \(word.reason ?? "")")
        case "resigning":
            self[place].members[word.candidate]?.life = .standingDown
            self[place].cause = ("resignation", word.nanoseconds)
            note(word.nanoseconds, place, "\(word.candidate) is asked to resign")
        case "ready", "changed":
            if [.starting, .standingDown].contains(member.life) {
                self[place].members[word.candidate]?.life = .follows
            }
        case "jeopardy": note(word.nanoseconds, place, "\(word.candidate) cannot renew its lease")
        case "deferred": note(word.nanoseconds, place, "\(word.candidate) has to wait: \(word.reason ?? "")")
        case "error": note(word.nanoseconds, place, "\(word.candidate): \(word.message ?? "error")")
        default: break
        }
    }

    private mutating func measured(_ word: Word, _ place: Place) -> String {
        guard let cause = self[place].cause else { return "" }
        self[place].cause = nil
        let milliseconds = Double(word.nanoseconds - cause.nanoseconds) / 1e6
        self[place].handOvers.append((cause.what, milliseconds))
        return ": \(Self.text(milliseconds)) after the \(cause.what)"
    }

    /// Writes down what the demo itself does.
    mutating func note(_ nanoseconds: Int64, _ place: Place, _ text: String) {
        let seconds = Double(nanoseconds - start) / 1e9
        let whole = Int(seconds * 1000)
        let time = pad("\(whole / 1000).\(pad("\(whole % 1000)", 3, with: "0"))", 7)
        timeline.append("\(time) s  \(padRight(place.name, 10))  \(text)")
    }

    static func text(_ milliseconds: Double) -> String {
        if milliseconds >= 1000 { return "\((milliseconds / 10).rounded() / 100) s" }
        let digits: Double = milliseconds < 10 ? 100 : 10
        return "\((milliseconds * digits).rounded() / digits) ms"
    }
}

func pad(_ text: String, _ width: Int, with filler: String = " ") -> String {
    String(repeating: filler, count: max(0, width - text.count)) + text
}

func padRight(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}
