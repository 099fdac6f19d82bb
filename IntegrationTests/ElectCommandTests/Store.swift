// SPDX-License-Identifier: MIT

import Foundation
import IntegrationSupport
import Testing

/// A store as `elect` is told of it.
enum Store: CaseIterable, Sendable, Equatable, CustomTestStringConvertible {
    case file
    case sqlite
    case server(Backend)

    /// Those that need no server.
    static let allCases: [Store] = [.file, .sqlite]

    /// Those that `elect` can reach over the network.
    static let servers: [Backend] = [
        .postgres, .pgbouncer, .redis, .redisTLS, .redisSentinel, .redisCluster, .redisQuorum, .valkey,
        .zookeeper, .consul, .consulTLS,
    ]

    /// Every store that is there; a server that is not is named by ``ServerTests``.
    static var all: [Store] {
        allCases + servers.filter { Backend.areRequired || $0.isReachable }.map { .server($0) }
    }

    /// Those of which a test may break a server of its own, and stand between it and its clients.
    static var breakable: [Backend] { servers.filter { $0 == .postgres || $0 == .redis } }

    func url(in directory: Directory) -> String {
        switch self {
        case .file: "file://\(directory.url.path)/store"
        case .sqlite: "sqlite://\(directory.url.path)/store.db"
        case .server(let backend): backend.url
        }
    }

    /// Whether a leader that stands still loses its group; the kernel's file locks know nothing of time.
    var endsStoppedLeaders: Bool { self != .file }

    /// Whether those who wait hear of a release; a pooler that shares sessions lets nobody listen.
    var tellsReleases: Bool { self != .server(.pgbouncer) }

    /// Whether candidates are listed there, and a leader can hand its lease to one of them.
    var keepsNotes: Bool { self != .server(.redisQuorum) }

    var testDescription: String {
        switch self {
        case .file: "file"
        case .sqlite: "sqlite"
        case .server(let backend): backend.rawValue
        }
    }
}
