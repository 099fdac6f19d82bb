// SPDX-License-Identifier: MIT

/// How much is measured.
struct Options {
    var isQuick = false
    var only: Set<String> = []

    init(_ arguments: some Sequence<String>) throws {
        for argument in arguments {
            switch argument {
            case "--quick": isQuick = true
            case let name where Self.names.contains(name): only.insert(name)
            default:
                throw Usage(description: "unknown argument \"\(argument)\"; use --quick and any of \(Self.names)")
            }
        }
    }

    static let names = [
        "machine", "read", "memory", "many", "file", "sqlite", "rounds", "postgres", "redis", "zookeeper", "consul",
        "soak",
    ]

    /// What takes so long, or needs so much around it, that it is measured only when it is named.
    static let onlyWhenNamed: Set = ["postgres", "redis", "zookeeper", "consul", "soak"]

    func includes(_ name: String) -> Bool {
        only.isEmpty ? !Self.onlyWhenNamed.contains(name) : only.contains(name)
    }

    var readSamples: Int { isQuick ? 200 : 2_000 }
    /// About a millisecond: short enough that most samples are not interrupted.
    var readsPerSample: Int { 20_000 }
    var memoryHandOvers: Int { isQuick ? 100 : 1000 }
    var storeHandOvers: Int { isQuick ? 20 : 100 }
    var crashes: Int { isQuick ? 5 : 30 }
    let waiting = [2, 20, 100]
    var manyGroups: Int { 10_000 }
    /// Each of them takes a lease.
    var serverCrashes: Int { isQuick ? 3 : 10 }
    var roundTrips: Int { isQuick ? 500 : 5_000 }
    var soakSeconds: Int { isQuick ? 60 : 600 }
    var idleSeconds: Int { isQuick ? 10 : 30 }
}

struct Usage: Error, CustomStringConvertible {
    let description: String
}
