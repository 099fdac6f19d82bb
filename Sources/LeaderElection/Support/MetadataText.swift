// SPDX-License-Identifier: MIT

/// A candidate's metadata as a JSON object of strings: what people expect to read in a database.
package enum MetadataText {
    package static func encode(_ metadata: [String: String]) -> String {
        let pairs = metadata.sorted { $0.key < $1.key }.map { "\(quote($0.key)):\(quote($0.value))" }
        return "{\(pairs.joined(separator: ","))}"
    }

    /// Nil for anything but an object of strings.
    package static func decode(_ text: String) -> [String: String]? {
        var parser = Parser(rest: text.unicodeScalars[...])
        guard let metadata = parser.object(), parser.isAtEnd else { return nil }
        return metadata
    }

    private static func quote(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    private struct Parser {
        var rest: Substring.UnicodeScalarView

        var isAtEnd: Bool {
            mutating get {
                skipSpace()
                return rest.isEmpty
            }
        }

        mutating func object() -> [String: String]? {
            guard take("{") else { return nil }
            var metadata: [String: String] = [:]
            if take("}") { return metadata }
            repeat {
                guard let key = string(), take(":"), let value = string() else { return nil }
                metadata[key] = value
            } while take(",")
            return take("}") ? metadata : nil
        }

        private mutating func skipSpace() {
            rest = rest.drop { $0 == " " || $0 == "\n" || $0 == "\t" || $0 == "\r" }
        }

        private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
            skipSpace()
            guard rest.first == scalar else { return false }
            rest.removeFirst()
            return true
        }

        private mutating func string() -> String? {
            guard take("\"") else { return nil }
            // Almost all are as they stand there.
            if let end = rest.firstIndex(where: { $0 == "\"" || $0 == "\\" }), rest[end] == "\"" {
                defer { rest = rest[rest.index(after: end)...] }
                return String(rest[..<end])
            }
            var units: [UInt16] = []
            while let scalar = rest.popFirst() {
                switch scalar {
                case "\"": return String(decoding: units, as: UTF16.self)
                case "\\":
                    guard let unit = escape() else { return nil }
                    units.append(unit)
                default: units.append(contentsOf: UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter)
                }
            }
            return nil
        }

        private mutating func escape() -> UInt16? {
            switch rest.popFirst() {
            case "n": return 0x0A
            case "r": return 0x0D
            case "t": return 0x09
            case "b": return 0x08
            case "f": return 0x0C
            case "u":
                let digits = String(String.UnicodeScalarView(rest.prefix(4)))
                rest = rest.dropFirst(4)
                return digits.utf8.count == 4 ? UInt16(digits, radix: 16) : nil
            case let scalar? where scalar == "\"" || scalar == "\\" || scalar == "/": return UInt16(scalar.value)
            default: return nil
            }
        }
    }
}
