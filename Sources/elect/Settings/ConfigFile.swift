// SPDX-License-Identifier: MIT

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Options out of a JSON object whose keys are the long names of the options.
struct ConfigFile: Sendable {
    let path: String
    let values: [String: [String]]

    init(path: String) throws {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw CommandFailure.usage("--config: cannot read \(path); check that it exists and is readable")
        }
        try self.init(path: path, data: data)
    }

    init(path: String, data: Data) throws {
        self.path = path
        let decoded: [String: Value]
        do {
            decoded = try JSONDecoder().decode([String: Value].self, from: data)
        } catch {
            throw CommandFailure.usage(
                "--config: \(path) is not a JSON object with texts, numbers, booleans, lists of texts, or for metadata "
                    + "an object of texts"
            )
        }
        for key in decoded.keys.sorted() where !Settings.names.contains(key) {
            throw CommandFailure.usage(
                "--config: \(path) has the unknown key \"\(key)\"; use \(Settings.names.joined(separator: ", "))"
            )
        }
        values = decoded.mapValues(\.texts)
    }

    private enum Value: Decodable {
        case texts([String])

        var texts: [String] {
            switch self {
            case .texts(let texts): texts
            }
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                self = .texts([text])
            } else if let flag = try? container.decode(Bool.self) {
                self = .texts([flag ? "true" : "false"])
            } else if let number = try? container.decode(Int64.self) {
                self = .texts([String(number)])
            } else if let list = try? container.decode([String].self) {
                self = .texts(list)
            } else {
                let pairs = try container.decode([String: String].self)
                self = .texts(pairs.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })
            }
        }
    }
}
