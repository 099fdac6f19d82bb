// SPDX-License-Identifier: MIT

internal import ChildProcesses
internal import Foundation
internal import LeaderElection

/// Shows a scene: as a picture that is drawn over and over, or as a log.
struct Screen {
    let isPlain: Bool
    private var shown = 0

    init(isPlain: Bool) { self.isPlain = isPlain }

    func open() {
        if !isPlain { write("\u{1B}[?1049h\u{1B}[?25l\u{1B}[2J") }
    }

    func close() {
        if !isPlain { write("\u{1B}[?25h\u{1B}[?1049l") }
    }

    mutating func show(_ scene: Scene, duration: Double) {
        if isPlain {
            for line in scene.timeline[shown...] { printLine(line) }
            shown = scene.timeline.count
        } else {
            draw(scene, duration)
        }
    }

    private func draw(_ scene: Scene, _ duration: Double) {
        let now = SystemClock().now.nanoseconds
        let seconds = Int(Double(now - scene.start) / 1e9)
        var lines = [
            "\u{1B}[1mLeader election on three stores\u{1B}[0m   \(seconds) s of \(Int(duration)) s   Ctrl-C ends it",
            "",
            "\u{1B}[2mstore       leader     term            time left             last hand-over\u{1B}[0m",
        ]
        for place in Scene.Place.allCases { lines.append(row(scene[place], place, now)) }
        lines += ["", "\u{1B}[2mcandidates\u{1B}[0m"]
        for place in Scene.Place.allCases { lines.append(members(scene[place], place)) }
        lines += ["", "\u{1B}[2mtimeline\u{1B}[0m"]
        lines += scene.timeline.suffix(max(4, height - lines.count - 1)).map { String($0.prefix(width)) }
        write("\u{1B}[H" + lines.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n") + "\u{1B}[J")
    }

    private func row(_ store: Scene.Store, _ place: Scene.Place, _ now: Int64) -> String {
        let lease = 3e9
        let left = max(0, Double((store.validUntil ?? now) - now))
        let isStopped = store.leader.map { store.members[$0]?.life == .paused } ?? false
        let bar = Int((left / lease * 12).rounded())
        let color = isStopped ? 33 : store.leader == nil ? 31 : 32
        let leader = padRight(store.leader ?? "nobody", 11)
        let term = padRight(store.leader == nil ? "" : "\(store.term ?? 0)", 16)
        let time =
            store.leader == nil
            ? padRight("", 22)
            : String(repeating: "█", count: min(12, bar)) + String(repeating: "·", count: max(0, 12 - bar))
                + padRight(" \((left / 1e8).rounded() / 10) s", 10)
        let last = store.handOvers.last.map { "\(Scene.text($0.milliseconds)) after the \($0.what)" } ?? ""
        return "\(padRight(place.name, 12))\u{1B}[\(color)m\(leader)\(term)\(time)\u{1B}[0m\(last)"
    }

    private func members(_ store: Scene.Store, _ place: Scene.Place) -> String {
        let texts = store.members.sorted { $0.key < $1.key }.map { name, member in
            let (word, color) =
                switch member.life {
                case .starting: ("starts", 2)
                case .follows: ("waits", 0)
                case .leads: ("LEADS", 32)
                case .standingDown: ("stands down", 36)
                case .paused: ("SIGSTOP", 33)
                case .killed: ("killed", 31)
                }
            let process = member.process.map { " [\($0)]" } ?? ""
            return "\u{1B}[\(color)m" + padRight("\(name)\(process) \(word)", 28) + "\u{1B}[0m"
        }
        return padRight(place.name, 12) + texts.joined()
    }

    private var size: winsize {
        var size = winsize()
        _ = ioctl(1, UInt(TIOCGWINSZ), &size)
        return size
    }

    private var height: Int { size.ws_row > 0 ? Int(size.ws_row) : 30 }
    private var width: Int { size.ws_col > 0 ? Int(size.ws_col) : 100 }

    private func write(_ text: String) {
        try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    }
}
