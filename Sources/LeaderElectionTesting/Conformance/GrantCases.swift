// SPDX-License-Identifier: MIT

internal import LeaderElection

extension ProviderConformance {
    static let grantCases: [Case] = [
        Case("a free group is granted, and others are told who holds it") { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let group = try trial.group()
            let grant = try await trial.grant(first, trial.request(group, by: trial.candidate("first")))
            try await trial.refused(second, trial.request(group, by: trial.candidate("second")), because: grant)
            try await trial.refused(first, trial.request(group, by: trial.candidate("third")), because: grant)
            try await trial.isHeld(second, by: grant)
        },
        Case("a candidate's name and metadata come back byte for byte") { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let group = try trial.group()
            let candidate = Candidate(
                id: "Zoë zoe\u{301} 指導者 🦊 % %25 / \\ ' \" ` $x {0} ; -- <&>",
                incarnation: Nonce(),
                metadata: [
                    "address": "[::1]:8080", "empty": "", "quote\"d": "it's \"so\" \\ so", "é": "composed",
                    "comma,colon:equals=": "a=1,b=2", "🦊": String(repeating: "ü", count: 300), " space ": "  ",
                ]
            )
            let grant = try await trial.grant(first, trial.request(group, by: candidate))
            let record = try await trial.refused(second, trial.request(group), because: grant)
            func bytes(_ metadata: [String: String]) -> Set<[[UInt8]]> {
                Set(metadata.map { [Array($0.key.utf8), Array($0.value.utf8)] })
            }
            try trial.expect(
                bytes(record.holder.metadata) == bytes(candidate.metadata),
                "published was \(candidate.metadata), read back was \(record.holder.metadata)"
            )
            try trial.expect(
                record.leaseDuration == trial.fixture.leaseDuration,
                "the lease asked for was \(trial.fixture.leaseDuration), read back was \(record.leaseDuration)"
            )
        },
        Case("the same nonce again is granted the same term") { trial in
            let provider = try await trial.provider()
            let request = trial.request(try trial.group())
            let grant = try await trial.grant(provider, request)
            for _ in 0..<3 {
                let again = try await trial.grant(provider, request)
                try trial.expect(again.term == grant.term, "term \(grant.term) became \(again.term)")
            }
            try await trial.renew(provider, grant)
        },
        Case("each grant to a new nonce has a larger term, across releases and new providers") { trial in
            let group = try trial.group()
            var last: Trial.Grant?
            for _ in 0..<5 {
                let provider = try await trial.provider()
                let request = trial.request(group, by: trial.candidate("always the same name"))
                let grant =
                    if let last { try await trial.grant(provider, request, after: last) } else {
                        try await trial.grant(provider, request)
                    }
                try await trial.release(provider, grant)
                last = grant
            }
        },
        Case("candidates with the same name contend as strangers") { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let group = try trial.group()
            let grant = try await trial.grant(first, trial.request(group, by: trial.candidate("twin")))
            for provider in [first, second] {
                try await trial.refused(
                    provider,
                    trial.request(group, by: trial.candidate("twin")),
                    because: grant
                )
                try await trial.refused(provider, trial.request(group, by: grant.candidate), because: grant)
            }
            try await trial.renew(first, grant)
        },
        Case("a nonce is compared in full") { trial in
            let (first, second) = (try await trial.provider(), try await trial.provider())
            let group = try trial.group()
            let grant = try await trial.grant(first, group)
            for nonce in trial.lookalikes(of: grant.nonce) {
                for provider in [first, second] {
                    try await trial.refused(
                        provider,
                        trial.request(group, nonce: nonce, previousNonce: nonce),
                        because: grant
                    )
                }
            }
        },
        Case("a lease shorter than the store allows is refused before anything is changed") { trial in
            let provider = try await trial.provider()
            let group = try trial.group()
            let minimum = provider.guarantees.minimumLeaseDuration
            try trial.expect(minimum > .zero, "guarantees.minimumLeaseDuration is \(minimum)")
            try trial.expect(provider.guarantees.maximumBatch > 0, "guarantees.maximumBatch is not positive")
            try provider.validate(group, leaseDuration: minimum)
            try provider.validate(group, leaseDuration: max(minimum, trial.fixture.leaseDuration))
            for tooShort in [minimum - .nanoseconds(1), .zero, .seconds(-1)] {
                do {
                    try provider.validate(group, leaseDuration: tooShort)
                } catch let error as ElectionError where error.code == .invalidConfiguration {
                    continue
                }
                throw trial.failure("a lease of \(tooShort) is let pass, the minimum is \(minimum)")
            }
        },
    ]
}
