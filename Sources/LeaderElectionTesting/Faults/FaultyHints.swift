// SPDX-License-Identifier: MIT

public import LeaderElection
internal import Synchronization

extension FaultyProvider {
    /// Passes on what the wrapped provider pushes, as far as the rules for ``FaultRule/Operation/hints`` permit.
    ///
    /// A hint can be delayed, dropped (so can an error or a hang do), doubled, or swapped with the next one. Nothing is
    /// ever pushed if the wrapped provider does not push.
    public func hints(_ receive: @escaping @Sendable (ProviderHint) -> Void) -> any HintSubscription {
        let relay = HintRelay(provider: self, receive: receive)
        if let pushing = wrapped as? any PushingProvider {
            relay.attach(pushing.hints { [weak relay] hint in relay?.pass(hint) })
        }
        return relay
    }
}

private final class HintRelay: HintSubscription {
    private struct State {
        var upstream: (any HintSubscription)?
        var isCancelled = false
        var heldBack: ProviderHint?
    }

    private let provider: FaultyProvider
    private let receive: @Sendable (ProviderHint) -> Void
    private let state = Mutex(State())

    init(provider: FaultyProvider, receive: @escaping @Sendable (ProviderHint) -> Void) {
        self.provider = provider
        self.receive = receive
    }

    deinit { cancel() }

    func attach(_ upstream: any HintSubscription) {
        state.withLock { $0.upstream = upstream }
    }

    func cancel() {
        let upstream = state.withLock { state in
            state.isCancelled = true
            defer { state.upstream = nil }
            return state.upstream
        }
        upstream?.cancel()
    }

    func pass(_ hint: ProviderHint) {
        var plan = FaultPlan()
        for fault in provider.faults(for: .hints, group: hint.group) { plan.add(fault, toRequest: 0) }
        for action in plan.before { action() }
        guard plan.error == nil, plan.hangs == nil, plan.unsent.isEmpty, plan.unanswered.isEmpty else { return }
        let hints = plan.doubled.isEmpty ? [hint] : [hint, hint]
        guard let delay = [plan.delay, plan.answerDelay].compactMap(\.self).max() else {
            return deliver(hints, isReordered: plan.isReordered)
        }
        let isReordered = plan.isReordered
        _ = provider.clock.schedule(at: provider.clock.now.advanced(by: delay)) { [weak self] in
            self?.deliver(hints, isReordered: isReordered)
        }
    }

    private func deliver(_ hints: [ProviderHint], isReordered: Bool) {
        let due: [ProviderHint] = state.withLock { state in
            guard !state.isCancelled else { return [] }
            if isReordered, state.heldBack == nil {
                state.heldBack = hints.first
                return Array(hints.dropFirst())
            }
            defer { state.heldBack = nil }
            return hints + [state.heldBack].compactMap(\.self)
        }
        for hint in due { receive(hint) }
    }
}
