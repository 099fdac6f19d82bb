// SPDX-License-Identifier: MIT
#if !Configuration

/// Options by their names, out of the environment alone: the build is without swift-configuration.
package struct OptionReader: Sendable {
    private let environment: [String: String]
    private let scope: String
    /// What a command line says that was parsed elsewhere; wins over everything.
    package var given: [String: [String]] = [:]

    package init(environment: [String: String], scope: String, file: OptionFile?) {
        self.environment = environment
        self.scope = scope
    }

    /// The value of an option as text.
    package func find(_ name: String) -> Found? {
        if let texts = given[name], !texts.isEmpty { return Found(texts: texts, source: "--\(name)") }
        let variable = OptionNames.variable(name, scope: scope)
        guard let text = environment[variable], !text.isEmpty else { return nil }
        return Found(texts: [text], source: variable)
    }
}

/// A file of options, which this build cannot read.
package struct OptionFile: Sendable {
    package init(path: String, scope: String?, known: [String]) throws {
        throw OptionReader.unusable("\(path): files are not in this build; build with the trait Configuration")
    }
}
#endif
