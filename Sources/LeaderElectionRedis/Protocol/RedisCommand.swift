// SPDX-License-Identifier: MIT
#if Redis

/// One command: its words as bytes.
struct RedisCommand: Sendable, Hashable {
    var words: [[UInt8]]

    init(words: [[UInt8]]) { self.words = words }

    init(_ words: String...) { self.words = words.map { Array($0.utf8) } }

    init(_ words: [String]) { self.words = words.map { Array($0.utf8) } }
}

/// One call of a script.
struct RedisScriptCall: Sendable {
    var script: RedisScript
    var keys: [String]
    var arguments: [[UInt8]]

    init(_ script: RedisScript, keys: [String], arguments: [[UInt8]]) {
        self.script = script
        self.keys = keys
        self.arguments = arguments
    }

    /// The call by the script's digest; the server may have forgotten the script.
    var byDigest: RedisCommand { command("EVALSHA", script.digest) }
    /// The call that carries the script along.
    var bySource: RedisCommand { command("EVAL", script.source) }

    private func command(_ verb: String, _ script: String) -> RedisCommand {
        var words = [Array(verb.utf8), Array(script.utf8), Array(String(keys.count).utf8)]
        words.reserveCapacity(3 + keys.count + arguments.count)
        for key in keys { words.append(Array(key.utf8)) }
        words += arguments
        return RedisCommand(words: words)
    }
}
#endif
