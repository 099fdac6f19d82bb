// SPDX-License-Identifier: MIT
#if Postgres
internal import CElectionPQ
internal import LeaderElection

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// What libpq, or the server behind it, has to say against a statement or a connection.
struct PQFailure: Error, Sendable {
    /// Five characters; nil for whatever did not come from a server.
    var sqlState: String?
    /// The first line only: further ones repeat the statement.
    var message: String
    /// Whether the connection is of no use any more.
    var isConnectionLost = false
}

/// One answer of the server, freed with its last reference.
final class PQResult {
    private let pointer: OpaquePointer

    fileprivate init(_ pointer: OpaquePointer) { self.pointer = pointer }

    deinit { PQclear(pointer) }

    var rowCount: Int { Int(PQntuples(pointer)) }
    var columnCount: Int { Int(PQnfields(pointer)) }

    func isNull(_ row: Int, _ column: Int) -> Bool { PQgetisnull(pointer, Int32(row), Int32(column)) != 0 }

    func text(_ row: Int, _ column: Int) -> String? {
        guard !isNull(row, column), let value = PQgetvalue(pointer, Int32(row), Int32(column)) else { return nil }
        return String(cString: value)
    }

    func flag(_ row: Int, _ column: Int) -> Bool {
        guard let value = PQgetvalue(pointer, Int32(row), Int32(column)) else { return false }
        return value.pointee == CChar(UInt8(ascii: "t"))
    }

    func integer(_ row: Int, _ column: Int) -> Int64? {
        guard !isNull(row, column), var digit = PQgetvalue(pointer, Int32(row), Int32(column)) else { return nil }
        let isNegative = digit.pointee == CChar(UInt8(ascii: "-"))
        if isNegative { digit += 1 }
        var value: Int64 = 0
        repeat {
            let unit = Int64(digit.pointee) - 0x30
            guard (0...9).contains(unit) else { return nil }
            let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflowToo) = scaled.subtractingReportingOverflow(unit)
            if overflow || overflowToo { return nil }
            value = sum
            digit += 1
        } while digit.pointee != 0
        return isNegative ? value : (value == .min ? nil : -value)
    }

    /// The 32 digits of a uuid, with or without its hyphens.
    func nonce(_ row: Int, _ column: Int) -> Nonce? {
        guard !isNull(row, column), let value = PQgetvalue(pointer, Int32(row), Int32(column)) else { return nil }
        let length = Int(PQgetlength(pointer, Int32(row), Int32(column)))
        let digits = UnsafeRawBufferPointer(start: value, count: length).lazy.filter { $0 != UInt8(ascii: "-") }
        return Nonce(digits: digits)
    }
}

/// A connection to a server.
///
/// The only code that talks to libpq; used by one thread at a time.
final class PQConnection {
    enum Event {
        case result(PQResult)
        case failure(PQFailure)
        /// The statement that was sent first is over, with all that came before.
        case endOfStatement
    }

    struct Notification {
        let channel: String
        let payload: String
    }

    /// A thread of ours may be in a handshake while another one ends the process.
    private static let openSSLIsKept: Void = election_pq_keep_openssl()

    private let connection: OpaquePointer

    private init(_ connection: OpaquePointer) { self.connection = connection }

    deinit { PQfinish(connection) }

    /// Blocks until the server lets us in, or every host was tried.
    static func connect(_ parameters: [(keyword: String, value: String)]) throws(PQFailure) -> PQConnection {
        openSSLIsKept
        let keywords = parameters.map { strdup($0.keyword) }
        let values = parameters.map { strdup($0.value) }
        defer { for text in keywords + values { free(text) } }
        let connection = PQconnectdbParams(
            keywords.map { UnsafePointer($0) } + [nil],
            values.map { UnsafePointer($0) } + [nil],
            0
        )
        guard let connection else { throw PQFailure(message: "no memory is left for a connection") }
        let result = PQConnection(connection)
        guard PQstatus(connection) == CONNECTION_OK else { throw result.lost() }
        // Notices would go to standard error.
        PQsetNoticeProcessor(connection, { _, _ in }, nil)
        return result
    }

    /// What a URI says, with everything that it leaves out left out; nil if libpq does not understand it.
    ///
    /// Why it does not is not told: the message would repeat parts of the URI, and they may be parts of a password.
    static func parse(_ uri: String) -> [String: String]? {
        guard let first = PQconninfoParse(uri, nil) else { return nil }
        defer { PQconninfoFree(first) }
        var settings: [String: String] = [:]
        var option = first
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { settings[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        return settings
    }

    var descriptor: Int32 { PQsocket(connection) }
    var serverVersion: Int { Int(PQserverVersion(connection)) }
    /// What the server, or a pooler in front of it, said that the backend's process is.
    var backendProcess: Int { Int(PQbackendPID(connection)) }
    var isAlive: Bool { PQstatus(connection) == CONNECTION_OK }

    // MARK: - One statement after another, on a thread that may wait

    /// Runs one string of SQL and waits for its end.
    @discardableResult
    func execute(_ sql: String, until deadline: ElectionInstant) throws(PQFailure) -> PQResult {
        guard PQsendQuery(connection, sql) == 1 else { throw lost() }
        return try lastResult(until: deadline)
    }

    /// Makes a statement known to the server under its name, and runs it once.
    func prepare(_ statement: PostgresStatement, until deadline: ElectionInstant) throws(PQFailure) {
        guard PQsendPrepare(connection, statement.name, statement.sql, 0, nil) == 1 else { throw lost() }
        _ = try lastResult(until: deadline)
        let isSent = statement.parameters.withCValues { types, values, lengths, formats in
            let count = Int32(types.count)
            return PQsendQueryPrepared(connection, statement.name, count, values, lengths, formats, 0) == 1
        }
        guard isSent else { throw lost() }
        _ = try lastResult(until: deadline)
    }

    private func lastResult(until deadline: ElectionInstant) throws(PQFailure) -> PQResult {
        var result: PQResult?
        var failure: PQFailure?
        while true {
            while PQisBusy(connection) == 1 {
                let left = (deadline - .now).wholeNanoseconds / 1_000_000
                var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                guard left > 0, poll(&request, 1, Int32(clamping: left)) != 0 else {
                    throw PQFailure(message: "the server did not answer in time", isConnectionLost: true)
                }
                guard PQconsumeInput(connection) == 1 else { throw lost() }
            }
            guard let pointer = PQgetResult(connection) else { break }
            switch outcome(of: pointer) {
            case .failure(let found): failure = failure ?? found
            case .result(let found): result = found
            case .endOfStatement: break
            }
        }
        if let failure { throw failure }
        guard let result else { throw lost() }
        return result
    }

    // MARK: - Many statements under way, on a thread that never waits

    func startPipeline() throws(PQFailure) {
        guard PQsetnonblocking(connection, 1) == 0, PQenterPipelineMode(connection) == 1 else { throw lost() }
    }

    /// Puts one statement into the pipeline.
    ///
    /// - Parameter isPrepared: whether the server knows its name; nil for a statement that gets none.
    func send(_ statement: PostgresStatement, isPrepared: Bool?) throws(PQFailure) {
        let isSent = statement.parameters.withCValues { types, values, lengths, formats in
            let count = Int32(types.count)
            guard let isPrepared else {
                return PQsendQueryParams(connection, statement.sql, count, types, values, lengths, formats, 0) == 1
            }
            if !isPrepared {
                guard PQsendPrepare(connection, statement.name, statement.sql, count, types) == 1 else { return false }
            }
            return PQsendQueryPrepared(connection, statement.name, count, values, lengths, formats, 0) == 1
        }
        guard isSent else { throw lost() }
    }

    /// Ends a group of statements: if one fails, the server goes on after this.
    func endGroup() throws(PQFailure) {
        guard PQpipelineSync(connection) == 1 else { throw lost() }
    }

    /// Whether something is left that the socket did not take.
    func flush() throws(PQFailure) -> Bool {
        switch PQflush(connection) {
        case 0: return false
        case 1: return true
        default: throw lost()
        }
    }

    func readAll() throws(PQFailure) {
        guard PQconsumeInput(connection) == 1 else { throw lost() }
    }

    /// The next thing that has arrived as a whole; nil when there is nothing more.
    func next() -> Event? {
        var isAfterSeparator = false
        while PQisBusy(connection) == 0 {
            if let pointer = PQgetResult(connection) { return outcome(of: pointer) }
            // Between two statements there is one nil; two mean that nothing is under way.
            if isAfterSeparator { return nil }
            isAfterSeparator = true
        }
        return nil
    }

    func nextNotification() -> Notification? {
        guard let pointer = PQnotifies(connection) else { return nil }
        defer { PQfreemem(pointer) }
        return Notification(
            channel: String(cString: pointer.pointee.relname),
            payload: pointer.pointee.extra.map { String(cString: $0) } ?? ""
        )
    }

    func lost() -> PQFailure {
        let message = PQerrorMessage(connection).map { String(cString: $0) } ?? ""
        return PQFailure(sqlState: nil, message: Self.joined(message), isConnectionLost: true)
    }

    private func outcome(of pointer: OpaquePointer) -> Event {
        let result = PQResult(pointer)
        switch PQresultStatus(pointer) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: return .result(result)
        case PGRES_PIPELINE_SYNC: return .endOfStatement
        default:
            let state = PQresultErrorField(pointer, Int32(UInt8(ascii: "C"))).map { String(cString: $0) }
            let text = PQresultErrorField(pointer, Int32(UInt8(ascii: "M"))) ?? PQresultErrorMessage(pointer)
            return .failure(
                PQFailure(
                    sqlState: state,
                    message: text.map { Self.joined(String(cString: $0)) } ?? "",
                    isConnectionLost: PQstatus(connection) != CONNECTION_OK
                )
            )
        }
    }

    private static func joined(_ message: String) -> String {
        message.split(whereSeparator: \.isNewline).prefix(3)
            .map { $0.drop { $0 == " " || $0 == "\t" } }.joined(separator: "; ")
    }
}
#endif
