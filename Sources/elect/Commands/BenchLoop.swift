// SPDX-License-Identifier: MIT

internal import LeaderElection
internal import LeaderElectionConfiguration

/// The same three calls again and again, with the time that each took.
struct BenchLoop {
    private static let batch = 256

    let provider: any ElectionProvider
    let groups: [ElectionGroup]
    private let candidate = Candidate(id: ElectionConfiguration.defaultCandidate(), incarnation: Nonce())
    private var times: [(name: String, nanoseconds: [Int64])] = [("acquire", []), ("renew", []), ("release", [])]

    init(provider: any ElectionProvider, groups: [ElectionGroup]) {
        self.provider = provider
        self.groups = groups
    }

    mutating func round(isMeasured: Bool) async throws {
        let size = min(Self.batch, provider.guarantees.maximumBatch)
        for start in stride(from: 0, to: groups.count, by: size) {
            let chunk = Array(groups[start..<min(start + size, groups.count)])
            let taken = try await round(of: chunk)
            if isMeasured { for index in taken.indices { times[index].nanoseconds.append(taken[index]) } }
        }
    }

    private func round(of groups: [ElectionGroup]) async throws -> [Int64] {
        let nonces = groups.map { _ in Nonce() }
        let lease = max(.seconds(10), provider.guarantees.minimumLeaseDuration)
        let acquires = zip(groups, nonces).map { group, nonce in
            AcquireRequest(
                group: group,
                candidate: candidate,
                nonce: nonce,
                leaseDuration: lease,
                timeout: .seconds(5)
            )
        }
        do {
            let start = ElectionInstant.now
            let terms = try await provider.acquire(acquires).map { try Self.term($0) }
            let acquired = ElectionInstant.now
            let renews = groups.indices.map { index in
                RenewRequest(
                    group: groups[index],
                    nonce: nonces[index],
                    term: terms[index],
                    leaseDuration: lease,
                    timeout: .seconds(5)
                )
            }
            let beforeRenew = ElectionInstant.now
            for answer in try await provider.renew(renews) { try Self.check(answer) }
            let renewed = ElectionInstant.now
            let releases = groups.indices.map { index in
                ReleaseRequest(group: groups[index], nonce: nonces[index], term: terms[index], timeout: .seconds(5))
            }
            let beforeRelease = ElectionInstant.now
            for answer in try await provider.release(releases) { try Self.check(answer) }
            let released = ElectionInstant.now
            return [acquired - start, renewed - beforeRenew, released - beforeRelease].map(\.wholeNanoseconds)
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure.unavailable(ElectionError.wrapping(error).message)
        }
    }

    private static func term(_ answer: AcquireAnswer) throws -> Int64 {
        switch answer {
        case .granted(let term, _): return term
        case .held(let record):
            throw CommandFailure.unavailable(
                "\(Output.printable(record.holder.id)) holds a group of the benchmark; wait for it, or give --group-prefix"
            )
        case .deferred(let time, let reason):
            throw CommandFailure.unavailable("the store grants nothing for \(time.text()): \(reason)")
        case .unknown(let error): throw error
        }
    }

    private static func check(_ answer: RenewAnswer) throws {
        switch answer {
        case .renewed: return
        case .lost: throw CommandFailure.unavailable("a lease was lost during the benchmark; is somebody else at it?")
        case .unknown(let error): throw error
        }
    }

    private static func check(_ answer: ReleaseAnswer) throws {
        switch answer {
        case .released: return
        case .notHeld:
            throw CommandFailure.unavailable("a lease was lost during the benchmark; is somebody else at it?")
        case .unknown(let error): throw error
        }
    }
}

// MARK: Report

extension BenchLoop {
    private struct Figures {
        var p50: Int64
        var p99: Int64
        var max: Int64
        var perSecond: Double

        init(_ nanoseconds: [Int64], perCall: Int) {
            let sorted = nanoseconds.sorted()
            func at(_ share: Double) -> Int64 { sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))] }
            (p50, p99, max) = (at(0.5), at(0.99), sorted.last ?? 0)
            let total = sorted.reduce(0, +)
            perSecond = total > 0 ? Double(sorted.count * perCall) * 1e9 / Double(total) : 0
        }
    }

    private var perCall: Int { min(groups.count, Self.batch, provider.guarantees.maximumBatch) }

    func json(iterations: Int) -> JSONLine {
        var line = JSONLine()
        line.add("iterations", Int64(iterations))
        line.add("groups", Int64(groups.count))
        for (name, nanoseconds) in times {
            let figures = Figures(nanoseconds, perCall: perCall)
            var part = JSONLine()
            part.add("p50_ns", figures.p50)
            part.add("p99_ns", figures.p99)
            part.add("max_ns", figures.max)
            part.add("per_second", figures.perSecond.rounded())
            line.add(name, part)
        }
        return line
    }

    func table(iterations: Int) -> String {
        func cell(_ text: String) -> String { String(repeating: " ", count: max(0, 12 - text.count)) + text }
        func time(_ nanoseconds: Int64) -> String { cell(DurationText.format(.nanoseconds(nanoseconds))) }
        var lines = ["\(iterations) rounds of \(groups.count) group(s)"]
        lines.append("          " + ["median", "p99", "max", "groups/s"].map(cell).joined())
        for (name, nanoseconds) in times {
            let figures = Figures(nanoseconds, perCall: perCall)
            let label = name + String(repeating: " ", count: 10 - name.count)
            lines.append(
                label + time(figures.p50) + time(figures.p99) + time(figures.max)
                    + cell(String(Int(figures.perSecond.rounded())))
            )
        }
        return lines.joined(separator: "\n")
    }
}
