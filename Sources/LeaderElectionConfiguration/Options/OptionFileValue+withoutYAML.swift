// SPDX-License-Identifier: MIT
#if Configuration && !YAML
internal import LeaderElection

extension OptionFileValue {
    static func yaml(_ text: String, path: String) throws -> [String: OptionFileValue] {
        throw OptionReader.unusable("\(path): YAML is not in this build; build with the trait YAML, or write JSON")
    }
}
#endif
