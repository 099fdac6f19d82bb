// SPDX-License-Identifier: MIT
#if YAML
internal import LeaderElection
internal import Yams

extension OptionFileValue {
    static func yaml(_ text: String, path: String) throws -> [String: OptionFileValue] {
        let root: Node?
        do {
            root = try compose(yaml: text)
        } catch YamlError.duplicatedKeysInMapping(let keys, _) {
            let key = ElectionError.printable(keys.sorted().first ?? "")
            throw OptionReader.unusable("\(path) has the key \"\(key)\" twice in one mapping; keep one")
        } catch let YamlError.scanner(_, problem, mark, _), let YamlError.parser(_, problem, mark, _) {
            throw OptionReader.unusable("\(path) is not YAML: line \(mark.line), column \(mark.column): \(problem)")
        } catch {
            throw wrongShape(path, isYAML: true, key: nil)
        }
        guard let root, case .object(let object) = value(root) else { throw wrongShape(path, isYAML: true, key: nil) }
        return object
    }

    private static func value(_ node: Node) -> OptionFileValue {
        switch node {
        case .scalar(let scalar):
            return node.tag == Tag(.null) ? .nothing : .text(scalar.string)
        case .sequence(let nodes): return .list(nodes.map(value))
        case .mapping(let pairs):
            var object: [String: OptionFileValue] = [:]
            for (key, node) in pairs {
                guard let name = key.scalar?.string else { return .nothing }
                object[name] = value(node)
            }
            return .object(object)
        default: return .nothing
        }
    }
}
#endif
