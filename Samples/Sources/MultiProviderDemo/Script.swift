// SPDX-License-Identifier: MIT

/// What is done to leaders, and when.
enum Script {
    enum Deed {
        case kill, stop, goOn, resign, restart
    }

    struct Step {
        /// Seconds since the start.
        let second: Double
        let deed: Deed
        let place: Scene.Place
    }

    /// One round.
    ///
    /// A stopped leader of a lock file keeps the group until it goes on; one on SQLite loses it.
    static let steps: [Step] = [
        Step(second: 2, deed: .resign, place: .memory),
        Step(second: 3, deed: .resign, place: .file),
        Step(second: 4, deed: .resign, place: .sqlite),
        Step(second: 6, deed: .kill, place: .file),
        Step(second: 7.5, deed: .kill, place: .sqlite),
        Step(second: 9, deed: .resign, place: .memory),
        Step(second: 11, deed: .stop, place: .sqlite),
        Step(second: 12, deed: .stop, place: .file),
        Step(second: 14, deed: .resign, place: .memory),
        Step(second: 18.5, deed: .kill, place: .sqlite),
        Step(second: 19.5, deed: .kill, place: .file),
    ]

    static func again(after second: Double) -> [Step] {
        steps.map { Step(second: $0.second + second, deed: $0.deed, place: $0.place) }
    }
}
