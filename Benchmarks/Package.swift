// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "election-benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "swift-leader-election", path: "../")
    ],
    targets: [
        .executableTarget(
            name: "ElectionBenchmarks",
            dependencies: [
                "CBenchmark",
                .product(name: "LeaderElection", package: "swift-leader-election"),
                .product(name: "LeaderElectionConsul", package: "swift-leader-election"),
                .product(name: "LeaderElectionFileSystem", package: "swift-leader-election"),
                .product(name: "LeaderElectionPostgres", package: "swift-leader-election"),
                .product(name: "LeaderElectionRedis", package: "swift-leader-election"),
                .product(name: "LeaderElectionSQLite", package: "swift-leader-election"),
                .product(name: "LeaderElectionZooKeeper", package: "swift-leader-election"),
            ],
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("MemberImportVisibility"),
                .enableUpcomingFeature("InternalImportsByDefault"),
                .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
                .enableUpcomingFeature("InferIsolatedConformances"),
                .enableUpcomingFeature("ImmutableWeakCaptures"),
            ]
        ),
        .target(name: "CBenchmark"),
    ],
    swiftLanguageModes: [.v6]
)
