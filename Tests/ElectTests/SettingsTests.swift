// SPDX-License-Identifier: MIT
#if Configuration
import Foundation
import LeaderElectionConfiguration
import Testing

@testable import elect

@Suite struct SettingsTests {
    private func settings(_ json: String? = nil, _ environment: [String: String] = [:]) throws -> Settings {
        let file = try json.map { try ConfigFile(path: "elect.json", data: Data($0.utf8)) }
        return Settings(file: file, environment: environment)
    }

    @Test func theCommandLineWinsOverTheEnvironmentAndThatOverTheFile() throws {
        let settings = try settings(#"{"candidate": "file", "group": "file"}"#, ["ELECT_CANDIDATE": "environment"])
        #expect(try settings.text("candidate", "line")?.texts == ["line"])
        #expect(try settings.text("candidate", nil)?.texts == ["environment"])
        #expect(try settings.text("group", nil)?.texts == ["file"])
        #expect(try settings.text("provider", nil) == nil)
    }

    @Test func variablesAreNamedAfterOptions() {
        #expect(Settings.variable("lease-duration") == "ELECT_LEASE_DURATION")
    }

    @Test func unknownKeysOfAFileAreRefusedWithItsName() throws {
        let failure = #expect(throws: CommandFailure.self) { try settings(#"{"lease_duration": "10s"}"#) }
        #expect(failure?.code == 64)
        #expect(failure?.message.contains("elect.json") == true)
        #expect(failure?.message.contains("lease_duration") == true)
    }

    @Test(arguments: ["", "[]", "{", #"{"group": {"a": 1}}"#, "7"])
    func filesOfAnotherShapeAreRefused(json: String) {
        #expect(throws: CommandFailure.self) { try settings(json) }
    }

    @Test func filesHoldListsNumbersFlagsAndMetadata() throws {
        let settings = try settings(
            #"{"group": ["a", "b"], "groups": 3, "once": true, "metadata": {"zone": "x", "a": "b"}}"#
        )
        #expect(settings.find("group", [])?.texts == ["a", "b"])
        #expect(try settings.count("groups", nil, in: 1...9) == 3)
        #expect(try settings.flag("once", false))
        #expect(settings.find("metadata", [])?.texts == ["a=b", "zone=x"])
        #expect(throws: CommandFailure.self) { try settings.text("group", nil) }
    }

    @Test(arguments: [("true", true), ("1", true), ("no", false), ("OFF", false)])
    func flagsOfTheEnvironmentHaveValues(text: String, value: Bool) throws {
        #expect(try settings(nil, ["ELECT_JSON": text]).flag("json", false) == value)
    }

    @Test func oddValuesAreRefusedWithTheNameOfTheirSource() throws {
        let settings = try settings(
            nil,
            ["ELECT_LEASE_DURATION": "10", "ELECT_GROUPS": "0", "ELECT_JSON": "maybe", "ELECT_PROFILE": "quick"]
        )
        func message(_ body: () throws -> Void) -> String {
            do { try body() } catch let failure as CommandFailure { return failure.message } catch {}
            return ""
        }
        #expect(message { _ = try settings.duration("lease-duration", nil) }.contains("ELECT_LEASE_DURATION: \"10\""))
        #expect(message { _ = try settings.duration("lease-duration", "0s") }.contains("--lease-duration: \"0s\""))
        #expect(message { _ = try settings.count("groups", nil, in: 1...5) }.contains("ELECT_GROUPS: \"0\""))
        #expect(message { _ = try settings.flag("json", false) }.contains("ELECT_JSON: \"maybe\""))
        #expect(
            message { _ = try settings.choice("profile", nil, of: CandidateOptions.Profile.self) }.contains("calm")
        )
    }
}
#endif
