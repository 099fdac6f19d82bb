// SPDX-License-Identifier: MIT

/// What one check of a store came to.
struct StoreFinding: Hashable, Sendable {
    /// What was looked at, in one word.
    var check: String
    /// What was seen.
    var seen: String
    /// Why that is bad and what to do; nil if all is well.
    var trouble: (why: String, remedy: String)? { why.map { ($0, remedy ?? "") } }

    private var why: String?
    private var remedy: String?

    static func fine(_ check: String, _ seen: String) -> Self { Self(check: check, seen: seen) }

    static func trouble(_ check: String, _ seen: String, why: String, remedy: String) -> Self {
        Self(check: check, seen: seen, why: why, remedy: remedy)
    }

    private init(check: String, seen: String, why: String? = nil, remedy: String? = nil) {
        (self.check, self.seen, self.why, self.remedy) = (check, seen, why, remedy)
    }

    var isFine: Bool { trouble == nil }

    var text: String {
        let name = check + String(repeating: " ", count: max(0, 10 - check.count))
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
