// SPDX-License-Identifier: MIT
#if Configuration
import Foundation
import Synchronization
import Testing

@testable import elect

@Suite struct SettingsReloadTests {
    private func reload(
        _ before: String,
        _ after: String,
        arguments: [String] = ["elect", "campaign"],
        change: @escaping SettingsReload.Change = { _, _ in },
        _ check: (SettingsReload, EventPrinter, String) throws -> Void
    ) throws {
        let path = NSTemporaryDirectory() + "elect-reload-\(UUID().uuidString).json"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(before.utf8).write(to: URL(filePath: path))
        let settings = try Settings(config: path, environment: [:])
        let printer = EventPrinter(format: .text, verbose: false)
        let reload = try #require(
            SettingsReload(settings, printer, environment: [:], arguments: arguments, change: change)
        )
        try Data(after.utf8).write(to: URL(filePath: path))
        try check(reload, printer, path)
    }

    @Test func whatCanChangeChanges() throws {
        try reload(#"{"verbose": false}"#, #"{"verbose": true, "events": "json"}"#) { reload, printer, path in
            let told = try reload.apply()
            #expect(told == "read \(path) again; changed: events, verbose")
            #expect(printer.verbose)
            #expect(printer.format == .json)
            let again = try reload.apply()
            #expect(again == "read \(path) again; nothing in it has changed")
        }
    }

    @Test func whatNeedsARestartIsNamedAndNothingChanges() throws {
        let after = #"{"verbose": true, "lease-duration": "5s", "provider": "redis://:hunter2@h"}"#
        try reload(#"{"lease-duration": "10s"}"#, after) { reload, printer, path in
            let failure = #expect(throws: CommandFailure.self) { try reload.apply() }
            #expect(failure?.message.contains("\(path): lease-duration, provider cannot change") == true)
            #expect(failure?.message.contains("hunter2") == false)
            #expect(!printer.verbose)
        }
    }

    @Test func whatElectionsCanTakeOverIsHandedToThem() throws {
        let seen = Mutex<Set<String>>([])
        let before = #"{"priority": 1, "health-check": "true", "health-timeout": "1s"}"#
        let after = #"{"priority": 2, "health-check": "false", "health-timeout": "1s", "health-interval": "9s"}"#
        try reload(before, after) { fresh, changed in
            seen.withLock { $0 = changed }
            let priority = try fresh.count("priority", nil, in: 0...9)
            #expect(priority == 2)
        } _: { reload, _, _ in
            let told = try reload.apply()
            #expect(told.contains("changed: health-check, health-interval, priority"))
        }
        #expect(seen.withLock { $0 } == ["health-check", "health-interval", "priority"])
    }

    @Test func whatElectionsRefuseChangesNothingElse() throws {
        struct Refused: Error {}
        try reload("{}", #"{"verbose": true, "priority": 3}"#) { _, _ in
            throw Refused()
        } _: { reload, printer, _ in
            #expect(throws: Refused.self) { try reload.apply() }
            #expect(!printer.verbose)
            // Nor is it taken for done.
            #expect(throws: Refused.self) { try reload.apply() }
        }
    }

    @Test func aTypoChangesNothing() throws {
        try reload("{}", #"{"verbos": true}"#) { reload, printer, _ in
            let failure = #expect(throws: CommandFailure.self) { try reload.apply() }
            #expect(failure?.message.contains("verbos") == true)
            #expect(!printer.verbose)
        }
        try reload("{}", #"{"verbose": "perhaps"}"#) { reload, _, _ in
            #expect(throws: CommandFailure.self) { try reload.apply() }
        }
    }

    @Test func whatTheCommandLineSaysDoesNotChange() throws {
        let arguments = ["elect", "campaign", "--lease-duration", "3s", "--events=text"]
        try reload("{}", #"{"lease-duration": "5s", "events": "json"}"#, arguments: arguments) {
            reload,
            printer,
            path in
            let told = try reload.apply()
            #expect(told == "read \(path) again; nothing in it has changed")
            #expect(printer.format == .text)
        }
    }

    @Test func withoutAFileThereIsNothingToRead() throws {
        let settings = try Settings(config: nil, environment: [:])
        #expect(SettingsReload(settings, EventPrinter(format: .text, verbose: false)) { _, _ in } == nil)
    }

    @Test func anUnknownVariableIsRefused() {
        let failure = #expect(throws: CommandFailure.self) {
            try Settings(config: nil, environment: ["ELECT_LEASE_DURATON": "3s"])
        }
        #expect(failure?.code == 64)
        #expect(failure?.message.contains("ELECT_LEASE_DURATON") == true)
    }
}
#endif
