// SPDX-License-Identifier: MIT

#if Observability
/// Every metric there is; the page "Observing" describes them in a table.
package enum ElectionMetric: String, CaseIterable, Sendable {
    case leading = "election_leading"
    case leaderless = "election_leaderless"
    case activeLeases = "election_leases_active"
    case acquisitions = "election_acquisitions_total"
    case renewals = "election_renewals_total"
    case renewalFailures = "election_renewal_failures_total"
    case jeopardies = "election_jeopardies_total"
    case losses = "election_losses_total"
    case deferrals = "election_deferrals_total"
    case errors = "election_errors_total"
    case workOverruns = "election_work_overruns_total"
    case acquireDuration = "election_acquire_duration_seconds"
    case renewDuration = "election_renew_duration_seconds"
    case releaseDuration = "election_release_duration_seconds"
    case renewalMargin = "election_renewal_margin_seconds"
    case leaderlessTime = "election_leaderless_seconds"
    case failoverTime = "election_failover_seconds"
    case observationsLost = "election_observations_lost_total"

    package var help: String {
        switch self {
        case .leading: "Elections that this process leads."
        case .leaderless: "Elections of which this process knows no leader."
        case .activeLeases: "Leases that this process holds in stores."
        case .acquisitions: "Terms that this process has begun to lead."
        case .renewals: "Leases that were renewed."
        case .renewalFailures: "Renewals that stayed without an answer."
        case .jeopardies: "Times that a leader could not renew its lease."
        case .losses: "Terms of this process that ended."
        case .deferrals: "Times that a store let nobody lead for a while."
        case .errors: "Changes of what is wrong."
        case .workOverruns: "Times that work went on after its term had to end."
        case .acquireDuration: "Time that a store took to answer a request for a lease."
        case .renewDuration: "Time that a store took to answer a renewal."
        case .releaseDuration: "Time that a store took to answer a release."
        case .renewalMargin: "What was left of a lease when its renewal was answered."
        case .leaderlessTime: "How long nobody led, as this process saw it."
        case .failoverTime: "How long nobody had led when this process took over."
        case .observationsLost: "Observations that were dropped because a backend was slow."
        }
    }
}
#endif
