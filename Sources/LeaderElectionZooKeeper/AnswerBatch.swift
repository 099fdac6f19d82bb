// SPDX-License-Identifier: MIT
#if ZooKeeper

/// The answers to the requests of one call, which come in any order; the call returns with the last of them.
final class AnswerBatch<Answer: Sendable> {
    private var answers: [Answer?]
    private var missing: Int
    private let finish: ([Answer]) -> Void

    init(_ count: Int, finish: @escaping ([Answer]) -> Void) {
        answers = Array(repeating: nil, count: count)
        missing = count
        self.finish = finish
    }

    var isComplete: Bool { missing == 0 }

    /// The first answer to a request is the one that counts.
    func settle(_ index: Int, _ answer: Answer) {
        guard answers[index] == nil else { return }
        answers[index] = answer
        missing -= 1
        if missing == 0 { finish(answers.compactMap(\.self)) }
    }

    func settleRest(_ answer: Answer) {
        for index in answers.indices { settle(index, answer) }
    }
}
#endif
