// SPDX-License-Identifier: MIT
#if Configuration
internal import LeaderElection

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// What a file of options can hold.
enum OptionFileValue: Decodable {
    case text(String)
    case list([OptionFileValue])
    case object([String: OptionFileValue])
    /// Nothing, where a value should be.
    case nothing

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .nothing
        } else if let text = try? container.decode(String.self) {
            self = .text(text)
        } else if let flag = try? container.decode(Bool.self) {
            self = .text(flag ? "true" : "false")
        } else if let number = try? container.decode(Int64.self) {
            self = .text(String(number))
        } else if let number = try? container.decode(Double.self) {
            self = .text(String(number))
        } else if let list = try? container.decode([OptionFileValue].self) {
            self = .list(list)
        } else {
            self = .object(try container.decode([String: OptionFileValue].self))
        }
    }

    private var text: String? {
        if case .text(let text) = self { text } else { nil }
    }

    /// One value or a list of them; nil for anything else.
    var texts: [String]? {
        switch self {
        case .text(let text): return [text]
        case .list(let list):
            let texts = list.compactMap(\.text)
            return texts.count == list.count ? texts : nil
        case .object, .nothing: return nil
        }
    }

    /// As ``texts``, and an object of texts as a list of `key=value`.
    var textsOfMetadata: [String]? {
        guard case .object(let object) = self else { return texts }
        let pairs = object.sorted { $0.key < $1.key }.compactMap { pair in pair.value.text.map { "\(pair.key)=\($0)" } }
        return pairs.count == object.count ? pairs : nil
    }

    static func json(_ text: String, path: String) throws -> [String: OptionFileValue] {
        guard case .object(let object)? = try? JSONDecoder().decode(OptionFileValue.self, from: Data(text.utf8)) else {
            throw wrongShape(path, isYAML: false, key: nil)
        }
        if let key = JSONKeys.firstDuplicate(in: Array(text.utf8)) {
            throw OptionReader.unusable(
                "\(path) has the key \"\(ElectionError.printable(key))\" twice in one object; keep one"
            )
        }
        return object
    }

    static func wrongShape(_ path: String, isYAML: Bool, key: String?) -> ElectionError {
        let (article, format) = isYAML ? ("a YAML mapping", "a mapping") : ("a JSON object", "an object")
        let place = key.map { "; look at \"\($0)\"" } ?? ""
        return OptionReader.unusable(
            "\(path) is not \(article) with texts, numbers, booleans, lists of texts, or for metadata \(format) of texts"
                + place
        )
    }
}

/// Looks at the keys of a JSON text, of which decoders keep one silently if there are two.
enum JSONKeys {
    /// - Parameter bytes: JSON that a decoder has accepted.
    static func firstDuplicate(in bytes: [UInt8]) -> String? {
        /// The keys seen of each object that is open; nil for an array.
        var open: [Set<String>?] = []
        var isKeyNext = false
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "{"):
                open.append([])
                isKeyNext = true
            case UInt8(ascii: "["):
                open.append(nil)
                isKeyNext = false
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                _ = open.popLast()
                isKeyNext = false
            case UInt8(ascii: ","): isKeyNext = open.last.map { $0 != nil } ?? false
            case UInt8(ascii: "\""):
                let start = index
                index += 1
                while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
                    index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
                }
                if isKeyNext, index < bytes.count, var keys = open.popLast() ?? nil {
                    // Decoded: the same key may be written with escapes or without.
                    let literal = Data(bytes[start...index])
                    let key = (try? JSONDecoder().decode(String.self, from: literal)) ?? ""
                    guard keys.insert(key).inserted else { return key }
                    open.append(keys)
                }
                isKeyNext = false
            default: break
            }
            index += 1
        }
        return nil
    }
}
#endif
