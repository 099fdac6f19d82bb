// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "election-samples",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "swift-leader-election", path: "../", traits: ["SQLite", "ServiceLifecycle", "HTTP", "YAML"]),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-async-algorithms.git", from: "1.0.0"),
        .package(url: "https://github.com/apple/swift-configuration.git", from: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.9.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing.git", from: "1.6.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.8.0"),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.0"),
    ],
    targets: [
        .executableTarget(
            name: "QuickStart",
            dependencies: [
                .product(name: "LeaderElection", package: "swift-leader-election"),
                .product(name: "LeaderElectionSQLite", package: "swift-leader-election"),
            ]
        ),
        .executableTarget(
            name: "MultiProviderDemo",
            dependencies: [
                "ChildProcesses",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "LeaderElection", package: "swift-leader-election"),
                .product(name: "LeaderElectionFileSystem", package: "swift-leader-election"),
                .product(name: "LeaderElectionSQLite", package: "swift-leader-election"),
            ]
        ),
        .executableTarget(
            name: "SingletonWorker",
            dependencies: [
                .product(name: "LeaderElection", package: "swift-leader-election"),
                .product(name: "LeaderElectionSQLite", package: "swift-leader-election"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ]
        ),
        .executableTarget(
            name: "FencedWriter",
            dependencies: [
                "ChildProcesses",
                "CSampleSQLite",
                .product(name: "LeaderElection", package: "swift-leader-election"),
                .product(name: "LeaderElectionSQLite", package: "swift-leader-election"),
            ]
        ),
        .executableTarget(
            name: "ActivePassive",
            dependencies: [
                .product(name: "LeaderElection", package: "swift-leader-election"),
                .product(name: "LeaderElectionSQLite", package: "swift-leader-election"),
            ]
        ),
        .executableTarget(
            name: "HealthStepDown",
            dependencies: [
                .product(name: "LeaderElection", package: "swift-leader-election"),
                .product(name: "LeaderElectionSQLite", package: "swift-leader-election"),
            ]
        ),
        .executableTarget(
            name: "ScheduledJob",
            dependencies: [
                .product(name: "LeaderElection", package: "swift-leader-election"),
                .product(name: "LeaderElectionSQLite", package: "swift-leader-election"),
            ]
        ),
        .executableTarget(
            name: "Migration",
            dependencies: [
                .product(name: "LeaderElection", package: "swift-leader-election"),
                .product(name: "LeaderElectionSQLite", package: "swift-leader-election"),
            ]
        ),
        .executableTarget(
            name: "DirectedHandover",
            dependencies: [.product(name: "LeaderElection", package: "swift-leader-election")]
        ),

        // The code of README.md and of the documentation, so that it compiles.
        .target(
            name: "DocumentationCode",
            dependencies: [
                .product(name: "AsyncAlgorithms", package: "swift-async-algorithms"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "LeaderElection", package: "swift-leader-election"),
                .product(name: "LeaderElectionConfiguration", package: "swift-leader-election"),
                .product(name: "LeaderElectionFileSystem", package: "swift-leader-election"),
                .product(name: "LeaderElectionHTTP", package: "swift-leader-election"),
                .product(name: "LeaderElectionObservability", package: "swift-leader-election"),
                .product(name: "LeaderElectionSQLite", package: "swift-leader-election"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ]
        ),

        .testTarget(
            name: "DocumentationCodeTests",
            dependencies: [
                .product(name: "LeaderElection", package: "swift-leader-election"),
                .product(name: "LeaderElectionTesting", package: "swift-leader-election"),
            ]
        ),

        // The files in Deployment, and the repository's docker-compose.yml.
        .testTarget(
            name: "DeploymentTests",
            dependencies: [
                .product(name: "LeaderElection", package: "swift-leader-election"),
                .product(name: "LeaderElectionConfiguration", package: "swift-leader-election"),
                .product(name: "Yams", package: "Yams"),
            ]
        ),

        .target(name: "ChildProcesses"),
        .systemLibrary(
            name: "CSampleSQLite",
            pkgConfig: "sqlite3",
            providers: [.apt(["libsqlite3-dev"]), .brew(["sqlite"])]
        ),
    ],
    swiftLanguageModes: [.v6]
)

for target in package.targets where [.regular, .executable, .test].contains(target.type) {
    target.swiftSettings = [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        .enableUpcomingFeature("InferIsolatedConformances"),
        .enableUpcomingFeature("ImmutableWeakCaptures"),
    ]
}
