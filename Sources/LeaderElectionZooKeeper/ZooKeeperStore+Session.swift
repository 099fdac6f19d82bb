// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import CElectionZooKeeper
internal import ElectionStores
internal import LeaderElection
internal import Logging

enum SessionPhase {
    /// There is none; while a new attempt is being held back, calls fail with the cause.
    case closed(notBefore: ElectionInstant, cause: ElectionError?)
    /// A handle is being made, which looks up names of hosts.
    case opening(ZooKeeperInbox, born: ElectionInstant)
    case open(ZooKeeperSession)
}

/// One session, and the handle that keeps it.
struct ZooKeeperSession {
    let inbox: ZooKeeperInbox
    let handle: ZooKeeperHandle
    /// Before it was asked for.
    let born: ElectionInstant
    var isConnected = false
    /// Whether servers were asked to go on with it, and had not answered, when last looked.
    var isAsking = false
    var id: Int64 = 0
    /// Set once the session exists.
    var ledger: HeartbeatLedger?
    /// The node that heartbeats are written to, once there is one.
    var heartbeatPath: String?
    var isPreparing = false
    /// Why leases cannot be had in this session.
    var refusal: ElectionError?
}

extension ZooKeeperStore {
    /// A call that waits for a session.
    struct Waiting {
        /// Goes ahead before there is a node for heartbeats.
        let isReading: Bool
        let then: (ElectionError?) -> Void
    }

    var session: ZooKeeperSession? {
        get { if case .open(let session) = phase { session } else { nil } }
        set { if let newValue { phase = .open(newValue) } }
    }

    /// Why a call that has run out of time got no answer.
    var causeOfSilence: ElectionError {
        switch phase {
        case .closed(_, let cause): cause ?? settings.unreachable
        case .opening: settings.unreachable
        case .open(let session):
            if session.isConnected {
                session.refusal ?? settings.slow
            } else if session.ledger == nil {
                settings.unreachable
            } else {
                ElectionError(settings.connectionLost.0, settings.connectionLost.1)
            }
        }
    }

    /// Asks for a session of this time-out; one that holds nothing is replaced if it has another.
    func wantTimeout(_ timeout: Duration) {
        if let session, let wantedTimeout, wantedTimeout != timeout, groups.isEmpty, whenReady.isEmpty,
            session.isConnected
        {
            dropSession(cause: nil, mustClose: true)
        }
        if case .closed = phase { wantedTimeout = timeout }
    }

    /// Calls back once requests can be sent, or at once with the reason why not.
    func ready(_ id: UInt64, isReading: Bool, _ then: @escaping (ElectionError?) -> Void) {
        let waiting = Waiting(isReading: isReading, then: then)
        switch phase {
        case .closed(let notBefore, let cause):
            if let cause, ElectionInstant.now < notBefore { return then(cause) }
            whenReady[id] = waiting
            open()
        case .opening: whenReady[id] = waiting
        case .open(let session):
            if session.isConnected, isReading || session.heartbeatPath != nil { return then(nil) }
            whenReady[id] = waiting
            if session.isConnected { prepare() }
        }
    }

    private func open() {
        guard !isShutDown else { return }
        let inbox = ZooKeeperInbox { [weak self, thread] in
            thread.execute { self?.assumeIsolated { $0.drain() } }
        }
        let born = ElectionInstant.now
        phase = .opening(inbox, born: born)
        let timeout = wantedTimeout ?? settings.sessionTimeout ?? max(.seconds(10), settings.tickTime * 3)
        wantedTimeout = timeout
        opener.execute { [weak self, settings, thread] in
            let handle = ZooKeeperHandle.open(
                servers: settings.servers,
                timeout: timeout,
                credentials: settings.credentials,
                inbox: inbox
            )
            thread.execute {
                guard let self else {
                    inbox.close()
                    handle?.close()
                    return
                }
                self.assumeIsolated { $0.opened(handle, inbox, born: born) }
            }
        }
    }

    private func opened(_ handle: ZooKeeperHandle?, _ inbox: ZooKeeperInbox, born: ElectionInstant) {
        guard case .opening(let expected, _) = phase, expected === inbox, !isShutDown else {
            inbox.close()
            if let handle { opener.execute { handle.close() } }
            return
        }
        guard let handle else {
            inbox.close()
            let error = ElectionError(
                .storeUnavailable,
                "none of the names in \(settings.servers) can be looked up; correct them, or the name service"
            )
            return heldBack(error)
        }
        phase = .open(ZooKeeperSession(inbox: inbox, handle: handle, born: born))
        drain()
    }

    /// Nothing is tried for a while; whoever waits or asks is told why.
    private func heldBack(_ cause: ElectionError) {
        openFailures = min(openFailures + 1, 6)
        let pause = Duration.milliseconds(100) * (1 << openFailures) * Double.random(in: 0.5...1)
        phase = .closed(notBefore: .now + pause, cause: cause)
        tellWaiting(cause)
    }

    private func tellWaiting(_ error: ElectionError?) {
        let waiting = whenReady
        whenReady = [:]
        for (_, call) in waiting.sorted(by: { $0.key < $1.key }) { call.then(error) }
    }

    /// There is a connection: those who only read have all that they need.
    private func tellReading() {
        let reading = whenReady.filter(\.value.isReading)
        for id in reading.keys { whenReady[id] = nil }
        for (_, call) in reading.sorted(by: { $0.key < $1.key }) { call.then(nil) }
    }

    /// Whether anything is kept or wanted that a session without a node for heartbeats cannot have.
    private var mustWrite: Bool { !(groups.isEmpty && ownNotes.isEmpty && whenReady.isEmpty) }

    // MARK: - What the library says

    private func drain() {
        guard let session else { return }
        let inbox = session.inbox
        for event in inbox.take() {
            // What came before may have ended the session.
            guard self.session?.inbox === inbox else { return }
            switch event {
            case .session(let state): stateChanged(state)
            case .reply(let id, let reply): replied(id, reply)
            case .watch(let id, let isGone):
                if let slot = newsWatches.removeValue(forKey: id) {
                    newsCame(slot)
                } else if let node = unregister(id) {
                    fired(node, isGone: isGone)
                }
            }
        }
        sendBacklog()
        watchSome()
    }

    private func stateChanged(_ state: Int32) {
        switch state {
        case ZOO_CONNECTED_STATE: connected()
        case ZOO_CONNECTING_STATE, ZOO_ASSOCIATING_STATE, 0, ZOO_NOTCONNECTED_STATE: session?.isConnected = false
        case ZOO_EXPIRED_SESSION_STATE: dropSession(cause: nil, mustClose: true)
        case ZOO_AUTH_FAILED_STATE:
            dropSession(cause: settings.failure(ZAUTHFAILED.rawValue, ""), mustClose: true)
        default: session?.isConnected = false
        }
    }

    private func connected() {
        guard var session else { return }
        session.isConnected = true
        openFailures = 0
        let isNew = session.ledger == nil
        if isNew {
            session.id = session.handle.sessionID
            let timeout = session.handle.timeout
            session.ledger = HeartbeatLedger(born: session.born, timeout: timeout, tick: settings.tickTime)
            session.refusal = judge(timeout)
        }
        self.session = session
        tellReading()
        if session.heartbeatPath == nil, mustWrite { return prepare() }
        resume()
        for group in groups.keys { groups[group]?.isCurrent = false }
        subscribers.send(.resync)
    }

    /// What the servers made of the time-out that was asked for.
    private func judge(_ timeout: Duration) -> ElectionError? {
        guard let wanted = wantedTimeout, timeout != wanted else { return nil }
        if timeout < wanted * 0.99 {
            return ElectionError(
                .invalidConfiguration,
                "\(settings.servers) allow sessions of at most \(timeout.text()) and not of \(wanted.text()); use a "
                    + "shorter leaseDuration, or raise the servers' maxSessionTimeout"
            )
        }
        warn(
            "timeout",
            ElectionError(
                .storeUnsuitable,
                "\(settings.servers) made a session of \(timeout.text()) of one of \(wanted.text()): after a crash others "
                    + "wait that long. Lower the servers' minSessionTimeout or tickTime, or use a longer leaseDuration"
            )
        )
        return nil
    }

    /// Makes the node for heartbeats, and the root path where that is missing.
    func prepare() {
        guard session?.isPreparing == false else { return }
        session?.isPreparing = true
        createHeartbeat(mayCreateRoot: true)
    }

    private func createHeartbeat(mayCreateRoot: Bool) {
        let parent = "\(settings.root)/\(GroupPath.heartbeats)"
        let path = "\(parent)/\(Nonce())"
        send(.create(path, [], .ephemeral), isUrgent: true) { reply in
            switch reply.code {
            case ZooKeeperCode.ok:
                self.session?.isPreparing = false
                self.session?.heartbeatPath = path
                self.resume()
            case ZooKeeperCode.noNode where mayCreateRoot: self.createRoot()
            default: self.prepareFailed(reply.code, in: parent)
            }
        }
    }

    /// Without leave to make it, whoever made the root has made what is in it.
    func createRootPath(isUrgent: Bool = false) {
        for path in settings.createRoot ? settings.rootChain : [] {
            send(.create(path, [], .persistent), isUrgent: isUrgent) { _ in }
        }
    }

    private func createRoot() {
        createRootPath(isUrgent: true)
        send(.create("\(settings.root)/\(GroupPath.heartbeats)", [], .persistent), isUrgent: true) { reply in
            guard reply.code == ZooKeeperCode.ok || reply.code == ZooKeeperCode.nodeExists else {
                return self.prepareFailed(reply.code, in: self.settings.root)
            }
            self.createHeartbeat(mayCreateRoot: false)
        }
    }

    private func prepareFailed(_ code: Int32, in parent: String) {
        session?.isPreparing = false
        // A connection that was lost is made again, and then everything is tried again for those who still wait.
        guard !ZooKeeperCode.isUnsure(code) else { return }
        tellWaiting(settings.failure(code, "showing that this session lives", needs: "create nodes in \(parent)"))
    }

    private func resume() {
        resolveWithdrawn()
        // Before anybody writes notes of the new session.
        resumeNotes()
        tellWaiting(nil)
        beatSoon()
    }

    // MARK: - The end of a session

    /// Forgets the session with all that it held.
    func dropSession(cause: ElectionError?, mustClose: Bool) {
        let lost = groups
        switch phase {
        case .closed: return
        case .opening(let inbox, _): inbox.close()
        case .open(let session):
            session.inbox.close()
            let handle = session.handle
            if mustClose { opener.execute { handle.close() } }
        }
        phase = .closed(notBefore: .distantPast, cause: nil)
        watched = [:]
        unwatched = FIFOQueue()
        entriesUnderWay = 0
        watchIDs = [:]
        watchedBytes = 0
        newsWatches = [:]
        news.forgetVersions()
        loseNotes()
        groups = [:]
        heartbeatUnderWay = nil
        let handlers = handlers.sorted { $0.key < $1.key }
        let waiting = backlog.removeAll() + unhurried.removeAll()
        self.handlers = [:]
        inFlight = 0
        for (_, handler) in handlers { handler(ZooKeeperReply(ZooKeeperCode.closing)) }
        for (_, handler) in waiting { handler(ZooKeeperReply(ZooKeeperCode.closing)) }
        let error = cause ?? settings.failure(ZooKeeperCode.closing, "")
        for queue in lost.values {
            for ask in queue.asks + queue.running { ask.answer(.unknown(error)) }
        }
        if let cause { heldBack(cause) } else if !whenReady.isEmpty { open() }
        if !lost.isEmpty { subscribers.send(.resync) }
    }

    /// Tells people, once per cause.
    func warn(_ cause: String, _ error: ElectionError) {
        guard warnings.insert(cause).inserted else { return }
        settings.logger?.warning("\(error.message)")
        subscribers.send(.warning(error))
    }
}
#endif
