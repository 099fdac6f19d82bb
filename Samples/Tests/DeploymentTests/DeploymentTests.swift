// SPDX-License-Identifier: MIT

import Foundation
import LeaderElection
import LeaderElectionConfiguration
import Testing
import Yams

/// The files for systemd, Kubernetes and compose, as far as they can be checked without any of these.
@Suite struct DeploymentTests {
    private static let root = URL(filePath: #filePath).appending(path: "../../../..").standardizedFileURL

    private func text(_ path: String) throws -> String {
        try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
    }

    /// Every document of a file; a key that stands twice is an error.
    private func documents(_ path: String) throws -> [[String: Any]] {
        let text = try text(path)
        for node in try compose_all(yaml: text) { _ = node }
        return try load_all(yaml: text).map { try #require($0 as? [String: Any]) }
    }

    private func isPinned(_ image: String) -> Bool {
        let parts = image.split(separator: "/").last?.split(separator: ":") ?? []
        return parts.count == 2 && parts[1] != "latest" && parts[1].contains(".")
    }

    @Test(arguments: ["docker-compose.yml", "Samples/Deployment/compose.yaml"])
    func everyServerIsPinnedAndChecked(path: String) throws {
        let services = try #require(try documents(path)[0]["services"] as? [String: [String: Any]])
        #expect(!services.isEmpty)
        for (name, service) in services {
            let image = try #require(service["image"] as? String, "\(name) has no image")
            #expect(isPinned(image), "\(name) takes \(image)")
            // What is built here is no server, and certificates are made once.
            if service["build"] != nil || name == "certificates" { continue }
            let check = service["healthcheck"] as? [String: Any]
            #expect(check?["test"] != nil && check?["interval"] != nil, "\(name) has no health check")
            for other in (service["depends_on"] as? [String: Any] ?? [:]).keys {
                #expect(services[other] != nil, "\(name) depends on \(other), which is not there")
            }
        }
    }

    @Test func threeReplicasOfAWorkerAreConfigured() throws {
        let compose = try documents("Samples/Deployment/compose.yaml")[0]
        let worker = try #require((compose["services"] as? [String: [String: Any]])?["worker"])
        #expect((worker["deploy"] as? [String: Any])?["replicas"] as? Int == 3)
        let environment = try #require(worker["environment"] as? [String: String])
        let settings = try ElectionSettings(arguments: [], environment: environment)
        #expect(try settings.group == "nightly")
        #expect(try settings.configuration.leaseDuration == .seconds(3))
        #expect(environment["ELECT_PROVIDER"] == "redis://redis")
        #expect(worker["stop_grace_period"] as? String == "15s")
    }

    @Test func theManifestLeavesTimeToGiveTheLeaseBack() throws {
        let all = try documents("Samples/Deployment/kubernetes-sidecar.yaml")
        #expect(all.map { $0["kind"] as? String } == ["ConfigMap", "Deployment", "PodDisruptionBudget"])
        #expect(all.allSatisfy { $0["apiVersion"] != nil && ($0["metadata"] as? [String: Any])?["name"] != nil })

        let options = try #require((all[0]["data"] as? [String: String])?["elect.yaml"])
        let file = FileManager.default.temporaryDirectory.appending(path: "deployment-\(UUID().uuidString).yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        // As a service would have it: within an object, so that the same check of every option applies.
        let nested = "elect:\n" + options.split(separator: "\n").map { "  \($0)\n" }.joined()
        try nested.write(to: file, atomically: true, encoding: .utf8)
        let configuration = try ElectionSettings(file: file.path, arguments: [], environment: [:]).configuration

        let template = try #require((all[1]["spec"] as? [String: Any])?["template"] as? [String: Any])
        let pod = try #require(template["spec"] as? [String: Any])
        let grace = try #require(pod["terminationGracePeriodSeconds"] as? Int)
        #expect(.seconds(grace) > configuration.shutdownTimeout ?? configuration.leaseDuration)

        let sidecars = try #require(pod["initContainers"] as? [[String: Any]])
        let containers = try #require(pod["containers"] as? [[String: Any]])
        #expect(sidecars.contains { $0["restartPolicy"] as? String == "Always" })
        let volumes = Set((pod["volumes"] as? [[String: Any]] ?? []).compactMap { $0["name"] as? String })
        for container in sidecars + containers {
            let image = try #require(container["image"] as? String)
            #expect(isPinned(image), "\(image) is not pinned")
            for mount in container["volumeMounts"] as? [[String: Any]] ?? [] {
                #expect(volumes.contains(mount["name"] as? String ?? ""))
            }
            // No password in a manifest.
            for variable in container["env"] as? [[String: Any]] ?? [] { #expect(variable["value"] == nil) }
        }
        let labels = (template["metadata"] as? [String: Any])?["labels"] as? [String: String]
        let selector = (all[1]["spec"] as? [String: Any])?["selector"] as? [String: Any]
        #expect(labels == selector?["matchLabels"] as? [String: String])
    }

    @Test func theUnitIsOneThatSystemdAccepts() throws {
        let unit = try text("Samples/Deployment/elect-worker.service")
        let start = try #require(unit.split(separator: "\n").first { $0.hasPrefix("ExecStart=") })
        #expect(start.hasPrefix("ExecStart=/usr/local/bin/elect run "))
        #expect(unit.contains("\nRestartPreventExitStatus=64\n") && unit.contains("\nKillMode=mixed\n"))
        // A password stands in a file of its own.
        #expect(!start.contains("--provider"))

        let verifier = "/usr/bin/systemd-analyze"
        guard FileManager.default.isExecutableFile(atPath: verifier) else { return }
        let file = FileManager.default.temporaryDirectory.appending(path: "elect-worker-\(UUID().uuidString).service")
        defer { try? FileManager.default.removeItem(at: file) }
        // It asks for programs that are there.
        try unit.replacing("/usr/local/bin/elect", with: "/bin/sh").replacing("/usr/local/bin/worker", with: "/bin/sh")
            .write(to: file, atomically: true, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(filePath: verifier)
        process.arguments = ["verify", "--man=no", file.path]
        let pipe = Pipe()
        process.standardError = pipe
        try process.run()
        let told = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(told)")
        #expect(!told.contains("elect-worker"), "\(told)")
    }
}
