// SPDX-License-Identifier: MIT
#if Configuration
import Foundation
import Testing

@testable import elect

@Suite struct SettingsReloadTests {
    private func reload(
        _ before: String,
        _ after: String,
        arguments: [String] = ["elect", "campaign"],
        _ check: (SettingsReload, EventPrinter, String) throws -> Void
    ) throws {
        let path = NSTemporaryDirectory() + "elect-reload-\(UUID().uuidString).json"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(before.utf8).write(to: URL(filePath: path))
        let settings = try Settings(config: path, environment: [:])
        let printer = EventPrinter(format: .text, verbose: false)
        let reload = try #require(
            SettingsReload(settings, printer, environment: [:], arguments: arguments)
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
        #expect(SettingsReload(settings, EventPrinter(format: .text, verbose: false)) == nil)
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
