// SPDX-License-Identifier: MIT

public import LeaderElection

/// The definition of done for a provider: what every store must do, as cases that any test framework can run.
///
/// ```swift
/// @Test(arguments: ProviderConformance.cases(for: [.expiry, .hints]))
/// func conforms(_ conformanceCase: ProviderConformance.Case) async throws {
///     let server = try await TestServer()
///     try await conformanceCase.run(
///         ProviderConformance(
///             makeProvider: { try await MyProvider(server) },
///             passTime: { try await Task.sleep(for: $0) }
///         )
///     )
/// }
/// ```
/// A store that cannot do what a case needs leaves the capability out; the case is then not listed, rather than passed.
public struct ProviderConformance: Sendable {
    /// What a store, or the test around it, can do beyond the four verbs.
    public struct Capabilities: OptionSet, Hashable, Sendable {
        /// The bits.
        public let rawValue: Int
        /// Capabilities by their bits.
        public init(rawValue: Int) { self.rawValue = rawValue }

        /// Leases run out when the fixture's `passTime` lets them; leave it out if the kernel owns the lease.
        public static let expiry = Capabilities(rawValue: 1 << 0)
        /// Records tell how much time is left.
        public static let remaining = Capabilities(rawValue: 1 << 1)
        /// A lease that was watched unchanged can be taken over by ``/LeaderElection/AcquireRequest/observed``.
        public static let observedTakeover = Capabilities(rawValue: 1 << 2)
        /// The provider is a ``/LeaderElection/PushingProvider`` that tells of releases and takeovers.
        public static let hints = Capabilities(rawValue: 1 << 3)
        /// The fixture's `wipe` makes the store lose its data.
        public static let wipe = Capabilities(rawValue: 1 << 4)
        /// The fixture's `crash` ends a provider as a crash of its process would.
        public static let crash = Capabilities(rawValue: 1 << 5)
        /// A lease ends at once when its provider is gone, without time passing.
        public static let endsWithProvider = Capabilities(rawValue: 1 << 6)
        /// The store takes every name that ``/LeaderElection/ElectionGroup`` allows.
        ///
        /// Without this, `validate` may refuse long names in which bytes have to be escaped.
        public static let everyGroupName = Capabilities(rawValue: 1 << 7)
        /// The provider is a ``/LeaderElection/NoteKeepingProvider``; its cases need the fixture's `passTime`.
        public static let notes = Capabilities(rawValue: 1 << 8)
        /// Of the notes only news are pushed, not those that repeat what was written before.
        public static let quietNotes = Capabilities(rawValue: 1 << 9)
        /// The provider is a ``/LeaderElection/TransferringProvider``.
        public static let transfer = Capabilities(rawValue: 1 << 10)
        /// All of them.
        public static let all = Capabilities(rawValue: (1 << 11) - 1)
    }

    /// Every case.
    public static let cases: [Case] =
        grantCases + batchCases + renewalCases + releaseCases + holderCases + expiryCases + takeoverCases + nameCases
        + concurrencyCases + hintCases + lossCases + noteCases + noteHintCases + transferCases + transferRaceCases

    /// The cases that need nothing but these capabilities.
    public static func cases(for capabilities: Capabilities) -> [Case] {
        cases.filter { $0.requires.isSubset(of: capabilities) }
    }

    let makeProvider: @Sendable () async throws -> any ElectionProvider
    let passTime: (@Sendable (Duration) async throws -> Void)?
    let crash: (@Sendable (any ElectionProvider) async throws -> Void)?
    let wipe: (@Sendable () async throws -> Void)?
    let leaseDuration: Duration
    let hintTimeout: Duration
    let groupPrefix: String

    /// One store to run cases against.
    ///
    /// - Parameters:
    ///   - makeProvider: one more provider for the same store, independent of the others as that of another process is.
    ///   - passTime: returns when this much time has passed for the store; nil if no time ends a lease.
    ///   - crash: ends a provider without any goodbye.
    ///   - wipe: makes the store lose everything.
    ///   - leaseDuration: of all leases. Must be long against the time that a call takes.
    ///   - hintTimeout: how long a hint may take to arrive.
    ///   - groupPrefix: begins the name of every group, at most 40 bytes; names are unique even without one.
    public init(
        makeProvider: @escaping @Sendable () async throws -> any ElectionProvider,
        passTime: (@Sendable (Duration) async throws -> Void)? = nil,
        crash: (@Sendable (any ElectionProvider) async throws -> Void)? = nil,
        wipe: (@Sendable () async throws -> Void)? = nil,
        leaseDuration: Duration = .seconds(10),
        hintTimeout: Duration = .seconds(10),
        groupPrefix: String = "conformance-"
    ) {
        self.makeProvider = makeProvider
        self.passTime = passTime
        self.crash = crash
        self.wipe = wipe
        self.leaseDuration = leaseDuration
        self.hintTimeout = hintTimeout
        self.groupPrefix = groupPrefix
    }
}

extension ProviderConformance {
    /// One promise of the provider contract, and the code that tries it.
    public struct Case: Sendable, Identifiable, CustomStringConvertible {
        /// The promise in one sentence; the same in every run.
        public let description: String
        /// What the store must be capable of for the case to apply.
        public let requires: Capabilities
        let body: @Sendable (Trial) async throws -> Void

        /// The promise names the case.
        public var id: String { description }

        init(
            _ description: String,
            requires: Capabilities = [],
            _ body: @escaping @Sendable (Trial) async throws -> Void
        ) {
            self.description = description
            self.requires = requires
            self.body = body
        }

        /// Tries the promise on fresh groups and providers.
        ///
        /// An outcome that is unknown is asked for anew, as the engine does it, but not more than twice: a server that
        /// stalls for a moment breaks no promise.
        ///
        /// - Throws: ``ConformanceFailure`` when the promise is broken, also when the fixture lacks what the case needs;
        ///   what the provider throws where it must not.
        public func run(_ fixture: ProviderConformance) async throws {
            try await body(Trial(fixture: fixture, promise: description))
        }
    }
}
