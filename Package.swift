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
        .library(name: "LeaderElectionPostgres", targets: ["LeaderElectionPostgres"]),
        .library(name: "LeaderElectionRedis", targets: ["LeaderElectionRedis"]),
        .library(name: "LeaderElectionZooKeeper", targets: ["LeaderElectionZooKeeper"]),
        .library(name: "LeaderElectionConsul", targets: ["LeaderElectionConsul"]),
        .library(name: "LeaderElectionObservability", targets: ["LeaderElectionObservability"]),
        .library(name: "LeaderElectionHTTP", targets: ["LeaderElectionHTTP"]),
        .library(name: "LeaderElectionConfiguration", targets: ["LeaderElectionConfiguration"]),
        .library(name: "LeaderElectionTesting", targets: ["LeaderElectionTesting"]),
        .executable(name: "elect", targets: ["elect"]),
    ],
    traits: [
        .trait(name: "SQLite", description: "LeaderElectionSQLite; links the system's libsqlite3."),
        .trait(name: "Postgres", description: "LeaderElectionPostgres; links the system's libpq."),
        .trait(name: "Redis", description: "LeaderElectionRedis; links the system's libhiredis, uses SwiftNIO."),
        .trait(name: "ZooKeeper", description: "LeaderElectionZooKeeper; links the system's libzookeeper_mt."),
        .trait(name: "Consul", description: "LeaderElectionConsul; uses AsyncHTTPClient."),
        .trait(
            name: "ServiceLifecycle",
            description: "ElectionService conforms to Service and takes part in graceful shutdown."
        ),
        .trait(
            name: "Observability",
            description: "LeaderElectionObservability; tells swift-metrics and swift-distributed-tracing."
        ),
        .trait(
            name: "HTTP",
            description: "LeaderElectionHTTP and elect --http; uses Hummingbird.",
            enabledTraits: ["Observability"]
        ),
        .trait(
            name: "Configuration",
            description: "LeaderElectionConfiguration, and files of options for elect; uses swift-configuration."
        ),
        .trait(
            name: "YAML",
            description: "Files of options may be YAML, not only JSON; uses Yams.",
            enabledTraits: ["Configuration"]
        ),
        .default(
            enabledTraits: [
                "SQLite", "Postgres", "Redis", "ZooKeeper", "Consul", "ServiceLifecycle", "Observability", "HTTP",
                "Configuration", "YAML",
            ]
        ),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-log.git", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.5.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.8.0"),
        .package(
            url: "https://github.com/apple/swift-configuration.git",
            from: "1.4.0",
            traits: ["CommandLineArguments"]
        ),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.0"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.80.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.30.0"),
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.24.0"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.9.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing.git", from: "1.6.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.0", traits: []),
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
                "ElectionStores",
                .target(name: "CElectionSQLite", condition: .when(traits: ["SQLite"])),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .target(
            name: "LeaderElectionPostgres",
            dependencies: [
                "LeaderElection",
                "ElectionStores",
                .target(name: "CElectionPQ", condition: .when(traits: ["Postgres"])),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .target(
            name: "LeaderElectionRedis",
            dependencies: [
                "LeaderElection",
                "ElectionStores",
                .target(name: "CElectionHiredis", condition: .when(traits: ["Redis"])),
                .product(name: "NIOCore", package: "swift-nio", condition: .when(traits: ["Redis"])),
                .product(name: "NIOPosix", package: "swift-nio", condition: .when(traits: ["Redis"])),
                .product(name: "NIOSSL", package: "swift-nio-ssl", condition: .when(traits: ["Redis"])),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .target(
            name: "LeaderElectionZooKeeper",
            dependencies: [
                "LeaderElection",
                "ElectionStores",
                .target(name: "CElectionZooKeeper", condition: .when(traits: ["ZooKeeper"])),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .target(
            name: "LeaderElectionConsul",
            dependencies: [
                "LeaderElection",
                "ElectionStores",
                .product(name: "AsyncHTTPClient", package: "async-http-client", condition: .when(traits: ["Consul"])),
                .product(name: "NIOCore", package: "swift-nio", condition: .when(traits: ["Consul"])),
                .product(name: "NIOPosix", package: "swift-nio", condition: .when(traits: ["Consul"])),
                .product(name: "NIOHTTP1", package: "swift-nio", condition: .when(traits: ["Consul"])),
                .product(name: "NIOSSL", package: "swift-nio-ssl", condition: .when(traits: ["Consul"])),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .target(
            name: "LeaderElectionObservability",
            dependencies: [
                "LeaderElection",
                .product(name: "Metrics", package: "swift-metrics", condition: .when(traits: ["Observability"])),
                .product(
                    name: "Tracing",
                    package: "swift-distributed-tracing",
                    condition: .when(traits: ["Observability"])
                ),
                .product(
                    name: "ServiceLifecycle",
                    package: "swift-service-lifecycle",
                    condition: .when(traits: ["ServiceLifecycle"])
                ),
            ]
        ),
        .target(
            name: "LeaderElectionHTTP",
            dependencies: [
                "LeaderElection",
                "LeaderElectionObservability",
                .product(name: "Hummingbird", package: "hummingbird", condition: .when(traits: ["HTTP"])),
                .product(name: "HummingbirdCore", package: "hummingbird", condition: .when(traits: ["HTTP"])),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics", condition: .when(traits: ["HTTP"])),
                .product(name: "NIOCore", package: "swift-nio", condition: .when(traits: ["HTTP"])),
                .product(
                    name: "ServiceLifecycle",
                    package: "swift-service-lifecycle",
                    condition: .when(traits: ["HTTP"])
                ),
                .product(name: "Tracing", package: "swift-distributed-tracing", condition: .when(traits: ["HTTP"])),
            ]
        ),
        .target(
            name: "LeaderElectionConfiguration",
            dependencies: [
                "LeaderElection",
                "LeaderElectionFileSystem",
                "LeaderElectionSQLite",
                "LeaderElectionPostgres",
                "LeaderElectionRedis",
                "LeaderElectionZooKeeper",
                "LeaderElectionConsul",
                .product(
                    name: "Configuration",
                    package: "swift-configuration",
                    condition: .when(traits: ["Configuration"])
                ),
                .product(name: "Yams", package: "Yams", condition: .when(traits: ["YAML"])),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .target(name: "LeaderElectionTesting", dependencies: ["LeaderElection"]),
        .executableTarget(
            name: "elect",
            dependencies: [
                "LeaderElection",
                "LeaderElectionConfiguration",
                "LeaderElectionHTTP",
                "ElectionFiles",
                "ElectionHistory",
                "CElectCommand",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .target(name: "CElectCommand"),
        // What `elect --history` writes: read, checked, and told.
        .target(name: "ElectionHistory"),

        // Shared by the stores that live in files: directory watches, advisory locks, kinds of file systems.
        .target(name: "ElectionFiles", dependencies: ["LeaderElection", "CElectionSystem"]),
        .target(name: "CElectionSystem"),
        // Shared by the stores that keep leases as rows or keys: clocks of servers, listeners, text of metadata.
        .target(name: "ElectionStores", dependencies: ["LeaderElection"]),
        .systemLibrary(
            name: "CElectionSQLite",
            pkgConfig: "sqlite3",
            providers: [.apt(["libsqlite3-dev"]), .brew(["sqlite"])]
        ),
        .systemLibrary(
            name: "CElectionPQ",
            pkgConfig: "libpq",
            providers: [.apt(["libpq-dev"]), .brew(["libpq"])]
        ),
        .systemLibrary(
            // No pkgConfig: hiredis.pc holds a flag that the package manager prohibits and warns about.
            name: "CElectionHiredis",
            providers: [.apt(["libhiredis-dev"]), .brew(["hiredis"])]
        ),
        .systemLibrary(
            // No pkgConfig: the library comes without a .pc file.
            name: "CElectionZooKeeper",
            providers: [.apt(["libzookeeper-mt-dev"]), .brew(["zookeeper"])]
        ),

        .testTarget(
            name: "LeaderElectionFileSystemTests",
            dependencies: ["LeaderElectionFileSystem", "ElectionFiles", "CElectionSystem", "LeaderElectionTesting"]
        ),
        .testTarget(
            name: "LeaderElectionSQLiteTests",
            dependencies: [
                "LeaderElection", "LeaderElectionSQLite", "LeaderElectionTesting", "ElectionFiles", "ElectionStores",
            ]
        ),
        .testTarget(name: "ElectionHistoryTests", dependencies: ["ElectionHistory"]),
        .testTarget(name: "ElectionStoresTests", dependencies: ["ElectionStores", "LeaderElection"]),
        .testTarget(
            name: "LeaderElectionPostgresTests",
            dependencies: ["LeaderElection", "LeaderElectionPostgres", "ElectionStores", "LeaderElectionTesting"]
        ),
        .testTarget(
            name: "LeaderElectionRedisTests",
            dependencies: ["LeaderElection", "LeaderElectionRedis", "ElectionStores", "LeaderElectionTesting"]
        ),
        .testTarget(
            name: "LeaderElectionZooKeeperTests",
            dependencies: ["LeaderElection", "LeaderElectionZooKeeper", "ElectionStores", "LeaderElectionTesting"]
        ),
        .testTarget(
            name: "LeaderElectionConsulTests",
            dependencies: ["LeaderElection", "LeaderElectionConsul", "ElectionStores", "LeaderElectionTesting"]
        ),
        .testTarget(
            name: "LeaderElectionObservabilityTests",
            dependencies: [
                "LeaderElection", "LeaderElectionObservability", "LeaderElectionTesting",
                .product(name: "Metrics", package: "swift-metrics", condition: .when(traits: ["Observability"])),
                .product(name: "MetricsTestKit", package: "swift-metrics", condition: .when(traits: ["Observability"])),
                .product(
                    name: "InMemoryTracing",
                    package: "swift-distributed-tracing",
                    condition: .when(traits: ["Observability"])
                ),
                .product(
                    name: "Tracing",
                    package: "swift-distributed-tracing",
                    condition: .when(traits: ["Observability"])
                ),
            ]
        ),
        .testTarget(
            name: "LeaderElectionHTTPTests",
            dependencies: [
                "LeaderElection", "LeaderElectionHTTP", "LeaderElectionObservability", "LeaderElectionTesting",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics", condition: .when(traits: ["HTTP"])),
                .product(
                    name: "ServiceLifecycle",
                    package: "swift-service-lifecycle",
                    condition: .when(traits: ["HTTP"])
                ),
            ]
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
        .testTarget(
            name: "LeaderElectionTests",
            dependencies: [
                "LeaderElection", "LeaderElectionTesting",
                .product(name: "InMemoryLogging", package: "swift-log"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .testTarget(name: "ElectTests", dependencies: ["elect", "LeaderElection", "LeaderElectionConfiguration"]),
        .testTarget(
            name: "LeaderElectionConfigurationTests",
            dependencies: [
                "LeaderElection", "LeaderElectionConfiguration", "LeaderElectionTesting",
                .product(
                    name: "Configuration",
                    package: "swift-configuration",
                    condition: .when(traits: ["Configuration"])
                ),
            ]
        ),
        .testTarget(
            name: "ElectCommandTests",
            dependencies: ["elect", "ElectionHistory", "IntegrationSupport"],
            path: "IntegrationTests/ElectCommandTests"
        ),
        // Real servers: where they are, how to break them.
        .target(
            name: "IntegrationSupport",
            dependencies: ["ElectionHistory"],
            path: "IntegrationTests/IntegrationSupport"
        ),
        .testTarget(
            name: "IntegrationSupportTests",
            dependencies: ["IntegrationSupport"],
            path: "IntegrationTests/IntegrationSupportTests"
        ),
        .testTarget(
            name: "PostgresIntegrationTests",
            dependencies: ["IntegrationSupport", "LeaderElectionPostgres", "LeaderElectionTesting", "elect"],
            path: "IntegrationTests/PostgresIntegrationTests"
        ),
        .testTarget(
            name: "RedisIntegrationTests",
            dependencies: ["IntegrationSupport", "LeaderElectionRedis", "LeaderElectionTesting", "elect"],
            path: "IntegrationTests/RedisIntegrationTests"
        ),
        .testTarget(
            name: "ZooKeeperIntegrationTests",
            dependencies: [
                "ElectionHistory", "IntegrationSupport", "LeaderElectionZooKeeper", "LeaderElectionTesting", "elect",
                .target(name: "CElectionZooKeeper", condition: .when(traits: ["ZooKeeper"])),
            ],
            path: "IntegrationTests/ZooKeeperIntegrationTests",
            exclude: ["kazoo_candidate.py", "CuratorCandidate.java"]
        ),
        .testTarget(
            name: "ConsulIntegrationTests",
            dependencies: [
                "IntegrationSupport", "LeaderElectionConsul", "LeaderElectionTesting", "elect",
                .product(name: "AsyncHTTPClient", package: "async-http-client", condition: .when(traits: ["Consul"])),
                .product(name: "NIOCore", package: "swift-nio", condition: .when(traits: ["Consul"])),
                .product(name: "NIOHTTP1", package: "swift-nio", condition: .when(traits: ["Consul"])),
            ],
            path: "IntegrationTests/ConsulIntegrationTests"
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
