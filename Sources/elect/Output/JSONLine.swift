// SPDX-License-Identifier: MIT

/// One JSON object on one line, with its keys in the order in which they were added.
struct JSONLine: Sendable {
    private var text = "{"

    mutating func add(_ key: String, _ value: String?) {
        addRaw(key, value.map(Self.quote) ?? "null")
    }

    mutating func add(_ key: String, _ value: Int64?) {
        addRaw(key, value.map { String($0) } ?? "null")
    }

    mutating func add(_ key: String, _ value: Bool) {
        addRaw(key, value ? "true" : "false")
    }

    mutating func add(_ key: String, _ value: Double) {
        addRaw(key, value.isFinite ? String(value) : "null")
    }

    mutating func add(_ key: String, _ value: [String: String]) {
        var object = JSONLine()
        for (name, text) in value.sorted(by: { $0.key < $1.key }) { object.add(name, text) }
        addRaw(key, object.description)
    }

    mutating func add(_ key: String, _ value: JSONLine) { addRaw(key, value.description) }

    mutating func add(_ key: String, _ values: [String]) {
        addRaw(key, "[" + values.map(Self.quote).joined(separator: ",") + "]")
    }

    mutating func add(_ key: String, _ values: [Int?]) {
        addRaw(key, "[" + values.map { $0.map(String.init) ?? "null" }.joined(separator: ",") + "]")
    }

    mutating func add(_ key: String, _ values: [JSONLine]) {
        addRaw(key, "[" + values.map(\.description).joined(separator: ",") + "]")
    }

    private mutating func addRaw(_ key: String, _ value: String) {
        if text.utf8.count > 1 { text += "," }
        text += Self.quote(key) + ":" + value
    }

    private static func quote(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

extension JSONLine: CustomStringConvertible {
    var description: String { text + "}" }
}
