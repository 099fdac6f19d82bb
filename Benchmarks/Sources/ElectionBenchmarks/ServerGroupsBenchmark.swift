// SPDX-License-Identifier: MIT

internal import Foundation
internal import LeaderElection

/// Ten thousand groups led by one process on one server.
struct ServerGroupsBenchmark {
    let server: Server

    func run(_ options: Options, _ report: inout Report) async throws {
        let count = options.manyGroups
        Report.heading(
            "\(server.name): \(count) groups led by one process, lease 15 s, seen for \(options.idleSeconds) s"
        )
        let alone = try await measure(groups: 1, seconds: 0)
        let many = try await measure(groups: count, seconds: options.idleSeconds)
        report.add("until all are led", Samples([many.acquiring]), unit: "ms", target: server.acquiringAll)
        report.add("processor time, share of one core", Samples([many.share * 100]), unit: "%", target: 5)
        let memory = (many.memory - alone.memory) / Double(count - 1) / 1024
        report.add("memory a group", Samples([memory]), unit: "KiB", target: 10)
        if let requests = try await requestsOfRenewals(groups: count) {
            // 256 groups share a request.
            let target = Double((count + 255) / 256)
            report.add("requests at the server a renewal", requests, unit: "count", target: target)
        }
        report.add("terms lost meanwhile", Samples([many.losses]), unit: "count", target: 0)
    }

    /// Whether all are still held after a long time with a short lease.
    func soak(_ options: Options, _ report: inout Report) async throws {
        let (count, seconds) = (options.manyGroups, options.soakSeconds)
        Report.heading("\(server.name): \(count) groups led by one process for \(seconds) s, lease 3 s")
        let many = try await measure(groups: count, seconds: seconds, lease: 3)
        report.add("processor time, share of one core", Samples([many.share * 100]), unit: "%")
        report.add("terms lost meanwhile", Samples([many.losses]), unit: "count", target: 0)
    }

    private struct Measurement {
        /// Milliseconds from the start of the process.
        var acquiring: Double
        var share: Double
        var memory: Double
        var losses: Double
    }

    private func measure(groups: Int, seconds: Int, lease: Int = 15) async throws -> Measurement {
        let fleet = Fleet(store: server.rawValue, path: try server.url(), groups: groups, lease: lease)
        defer { fleet.end() }
        let clock = SystemClock()
        let start = clock.now
        let worker = try fleet.start()
        _ = try await fleet.next { $0.kind == "ready" }
        let acquired = start.duration(to: clock.now)
        guard let id = fleet.children[worker]?.id else { throw Usage(description: "the worker ended") }
        // Two renewals, so that what they allocate once is there.
        try await Task.sleep(for: .seconds(seconds == 0 ? 1 : 10))
        let (busy, began) = (processorSeconds(id), clock.now)
        try await Task.sleep(for: .seconds(seconds))
        let share = (processorSeconds(id) - busy) / (began.duration(to: clock.now).nanoseconds / 1e9)
        return Measurement(
            acquiring: acquired.milliseconds,
            share: share,
            memory: residentBytes(id),
            losses: Double(fleet.losses(worker))
        )
    }

    /// Of four rounds of renewals, each counted from the last to the next; of candidates that are not listed, because
    /// looking after notes asks the server, too, in a rhythm of its own.
    private func requestsOfRenewals(groups: Int) async throws -> Samples? {
        guard try server.requests() != nil else { return nil }
        let fleet = Fleet(store: server.rawValue, path: try server.url(), groups: groups, lease: 15, isListed: false)
        defer { fleet.end() }
        try fleet.start()
        _ = try await fleet.next { $0.kind == "ready" }
        var (counts, last): ([Double], Int?) = ([], nil)
        while counts.count < 4 {
            // The first group tells of its renewals; a second later all of them are through.
            _ = try await fleet.next { $0.kind == "renewed" }
            try await Task.sleep(for: .seconds(1))
            guard let requests = try server.requests() else { return nil }
            if let last { counts.append(Double(requests - last)) }
            last = requests
        }
        return Samples(counts)
    }

    private func fields(_ path: String) -> [Substring] {
        // Behind the name of the program, which may hold anything.
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        return text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
    }

    private func processorSeconds(_ id: pid_t) -> Double {
        let values = fields("/proc/\(id)/stat")
        guard values.count > 14, let user = Double(values[12]), let system = Double(values[13]) else { return .nan }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    private func residentBytes(_ id: pid_t) -> Double {
        let values = fields("/proc/\(id)/statm")
        return values.count > 1 ? (Double(values[1]) ?? .nan) * Double(sysconf(Int32(_SC_PAGESIZE))) : .nan
    }
}
