// swift-tools-version: 6.2
// SPDX-License-Identifier: MIT
import PackageDescription

let package = Package(
    name: "swift-leader-election",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "LeaderElection", targets: ["LeaderElection"]),
        .library(name: "LeaderElectionFileSystem", targets: ["LeaderElectionFileSystem"]),
        .library(name: "LeaderElectionSQLite", targets: ["LeaderElectionSQLite"]),
        .library(name: "LeaderElectionTesting", targets: ["LeaderElectionTesting"]),
        .executable(name: "elect", targets: ["elect"]),
    ],
    traits: [
        .trait(name: "SQLite", description: "LeaderElectionSQLite; links the system's libsqlite3."),
        .trait(
            name: "ServiceLifecycle",
            description: "ElectionService conforms to Service and takes part in graceful shutdown."
        ),
        .default(enabledTraits: ["SQLite", "ServiceLifecycle"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-log.git", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.5.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.8.0"),
    ],
    targets: [
        // What users import.
        .target(
            name: "LeaderElection",
            dependencies: [
                "CElectionSystem",
                .product(name: "Logging", package: "swift-log"),
                .product(
                    name: "ServiceLifecycle",
                    package: "swift-service-lifecycle",
                    condition: .when(traits: ["ServiceLifecycle"])
                ),
            ]
        ),
        .target(
            name: "LeaderElectionFileSystem",
            dependencies: ["LeaderElection", "ElectionFiles", .product(name: "Logging", package: "swift-log")]
        ),
        .target(
            name: "LeaderElectionSQLite",
            dependencies: [
                "LeaderElection",
                "ElectionFiles",
                .target(name: "CElectionSQLite", condition: .when(traits: ["SQLite"])),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .target(name: "LeaderElectionTesting", dependencies: ["LeaderElection"]),
        .executableTarget(
            name: "elect",
            dependencies: [
                "LeaderElection",
                "LeaderElectionFileSystem",
                "LeaderElectionSQLite",
                "ElectionFiles",
                "CElectCommand",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .target(name: "CElectCommand"),

        // Shared by the stores that live in files: directory watches, advisory locks, kinds of file systems.
        .target(name: "ElectionFiles", dependencies: ["LeaderElection", "CElectionSystem"]),
        .target(name: "CElectionSystem"),
        .systemLibrary(
            name: "CElectionSQLite",
            pkgConfig: "sqlite3",
            providers: [.apt(["libsqlite3-dev"]), .brew(["sqlite"])]
        ),

        .testTarget(
            name: "LeaderElectionFileSystemTests",
            dependencies: ["LeaderElectionFileSystem", "ElectionFiles", "CElectionSystem", "LeaderElectionTesting"]
        ),
        .testTarget(
            name: "LeaderElectionSQLiteTests",
            dependencies: ["LeaderElection", "LeaderElectionSQLite", "LeaderElectionTesting", "ElectionFiles"]
        ),
        // The engine in thousands of simulated worlds; see scripts/simulate.
        .target(
            name: "ElectionSimulation",
            dependencies: ["LeaderElection"],
            path: "Tests/ElectionSimulation",
            exclude: ["Mutants"]
        ),
        .executableTarget(name: "simulate", dependencies: ["ElectionSimulation"], path: "Tests/Simulate"),
        .testTarget(name: "ElectionSimulationTests", dependencies: ["ElectionSimulation", "LeaderElection"]),
        .testTarget(name: "LeaderElectionTests", dependencies: ["LeaderElection", "LeaderElectionTesting"]),
        .testTarget(name: "ElectTests", dependencies: ["elect", "LeaderElection"]),
        .testTarget(
            name: "ElectCommandTests",
            dependencies: ["elect"],
            path: "IntegrationTests/ElectCommandTests"
        ),
        .testTarget(
            name: "LeaderElectionTestingTests",
            dependencies: ["LeaderElection", "LeaderElectionTesting"]
        ),
    ],
    swiftLanguageModes: [.v6]
)

let strictSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("ImmutableWeakCaptures"),
]
for target in package.targets where [.regular, .executable, .test].contains(target.type) {
    if !["CElectionSystem", "CElectCommand"].contains(target.name) {
        target.swiftSettings = (target.swiftSettings ?? []) + strictSettings
    }
}
