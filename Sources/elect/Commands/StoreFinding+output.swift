// SPDX-License-Identifier: MIT

internal import LeaderElection

extension StoreFinding {
    var text: String {
        let name = check + String(repeating: " ", count: max(1, 12 - check.count))
        guard let trouble else { return "ok       \(name)\(seen)" }
        return "FINDING  \(name)\(seen). Why it matters: \(trouble.why). What to do: \(trouble.remedy)."
    }

    var json: JSONLine {
        var line = JSONLine()
        line.add("check", check)
        line.add("ok", isFine)
        line.add("seen", seen)
        line.add("why", trouble?.why)
        line.add("remedy", trouble?.remedy)
        return line
    }
}
