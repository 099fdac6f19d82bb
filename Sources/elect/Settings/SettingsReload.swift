// SPDX-License-Identifier: MIT

internal import ElectionFiles
internal import Synchronization

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Reads the file of options again while a command runs, and applies what can change: how events are told, whom leaders
/// prefer, and how health is checked.
///
/// It does so when it is asked to, and when the file has changed.
///
/// Everything else is part of leases that are held already, or of the connection to the store.
final class SettingsReload: Sendable {
    /// Given what the file says now and the options that have changed, takes them over; or throws and changes nothing.
    typealias Change = @Sendable (_ fresh: Settings, _ changed: Set<String>) throws -> Void

    private static let changeable = HelperOptions.changeable.union(["events", "verbose", "priority"])

    private let path: String
    private let environment: [String: String]
    private let arguments: [String]
    private let printer: EventPrinter
    private let change: Change
    private let current: Mutex<Settings>
    /// What the file held when it was read last; nil if it could not be read.
    private let content: Mutex<Data?>

    /// Nil if there is no file to read.
    convenience init?(_ settings: Settings, _ printer: EventPrinter, change: @escaping Change) {
        self.init(
            settings,
            printer,
            environment: Environment.variables,
            arguments: CommandLine.arguments,
            change: change
        )
    }

    init?(
        _ settings: Settings,
        _ printer: EventPrinter,
        environment: [String: String],
        arguments: [String],
        change: @escaping Change
    ) {
        guard let path = settings.path else { return nil }
        self.path = path
        self.printer = printer
        self.change = change
        self.environment = environment
        self.arguments = arguments
        current = Mutex(settings)
        content = Mutex(Self.content(of: path))
    }

    /// Has the file read again whenever it changes, for as long as the result is kept; nil, with a word, if it cannot be.
    func follow() -> SettingsWatch? {
        do throws(FileError) {
            return try SettingsWatch(path) { [path] in
                Output.complain("the directory of \(path) is gone; after a change of the file send SIGHUP")
            } changed: { [weak self] in
                self?.runIfChanged()
            }
        } catch {
            Output.complain("\(path) cannot be watched (\(error)); after a change of it send SIGHUP")
            return nil
        }
    }

    /// As ``run()``, if the file holds other bytes than when it was read last.
    func runIfChanged() {
        let fresh = Self.content(of: path)
        if content.withLock({ $0 != fresh }) { run() }
    }

    private static func content(of path: String) -> Data? { try? Data(contentsOf: URL(filePath: path)) }

    /// Reads and applies, or says on standard error why not.
    func run() {
        content.withLock { $0 = Self.content(of: path) }
        do {
            Output.note("elect: \(try apply())")
        } catch let failure as CommandFailure {
            Output.complain("nothing was changed: \(failure.message)")
        } catch {
            Output.complain("nothing was changed: \(error)")
        }
    }

    /// All of what changed, or nothing.
    ///
    /// - Returns: what was done.
    /// - Throws: what is wrong with the file, or which options need a restart. Values are not named, they may be secret.
    func apply() throws -> String {
        try current.withLock { try apply(to: &$0) }
    }

    private func apply(to current: inout Settings) throws -> String {
        let fresh = try Settings(config: path, environment: environment)
        let old = current
        let changed = Settings.names.filter { name in
            !isGiven(name) && fresh.find(name, [])?.texts != old.find(name, [])?.texts
        }
        let fixed = changed.filter { !Self.changeable.contains($0) }
        guard fixed.isEmpty else {
            throw CommandFailure.usage(
                "\(path): \(fixed.joined(separator: ", ")) cannot change while elect runs; restart it, or undo the change"
            )
        }
        let format = try fresh.choice("events", nil, of: EventPrinter.Format.self)
        let verbose = try fresh.flag("verbose", false)
        try change(fresh, Set(changed))
        printer.change(
            format: isGiven("events") ? printer.format : format ?? .text,
            verbose: isGiven("verbose") ? printer.verbose : verbose
        )
        current = fresh
        return changed.isEmpty
            ? "read \(path) again; nothing in it has changed"
            : "read \(path) again; changed: \(changed.joined(separator: ", "))"
    }

    /// Whether the command line says it, so that the file does not count.
    private func isGiven(_ name: String) -> Bool {
        arguments.contains { $0 == "--\(name)" || $0.hasPrefix("--\(name)=") }
    }
}
