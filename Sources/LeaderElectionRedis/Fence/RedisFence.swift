// SPDX-License-Identifier: MIT
#if Redis
public import LeaderElection

/// Makes writes to Redis fail once a newer term has written: what no lease can do from outside.
///
/// A leader that was paused between its check and its write does not know that its term is over; only the server that
/// holds the data can refuse the write. The script is for any Redis client, which sends it with `EVAL`:
///
/// ```swift
/// let fence = RedisFence()
/// let write = fence.write(["SET", "report:latest", "42"], key: "report:latest", term: leadership.term)
/// try await client.eval(write.script, keys: write.keys, arguments: write.arguments)
/// ```
/// It answers what the command answers, or an error that begins with `FENCED`, and then nothing was changed.
public struct RedisFence: Hashable, Sendable {
    /// A call of the script, ready to be sent.
    public struct Write: Hashable, Sendable {
        /// The text of the script.
        public var script: String
        /// What the client sends as keys.
        public var keys: [String]
        /// What the client sends as arguments.
        public var arguments: [String]

        /// The words of the whole command, beginning with `EVAL`.
        public var command: [String] { ["EVAL", script, String(keys.count)] + keys + arguments }
    }

    /// The prefix of the election's keys, as in ``RedisProviderOptions/prefix``.
    public var prefix: String

    /// A fence for elections with this prefix.
    public init(prefix: String = RedisProviderOptions().prefix) { self.prefix = prefix }

    /// A write that is refused if a larger term has written to the key.
    ///
    /// The largest term is kept in ``fenceKey(of:)``. Data and election may be on different servers.
    ///
    /// - Parameters:
    ///   - command: the words of one command that writes to `key`, and to no other.
    ///   - key: the key that is written to.
    ///   - term: the term of the writer's leadership.
    public func write(_ command: [String], key: String, term: Int64) -> Write {
        Write(script: Self.script, keys: [Self.fenceKey(of: key), key], arguments: [String(term)] + command)
    }

    /// A write that is refused as well if the group's term is not this one, or if nobody leads it.
    ///
    /// For data on the same server and in the same database as the election, which must not be a cluster's or a
    /// quorum's. The write fails as soon as the group is released or taken over, without a newer write being there.
    ///
    /// - Parameters:
    ///   - command: the words of one command that writes to `key`, and to no other.
    ///   - key: the key that is written to.
    ///   - term: the term of the writer's leadership.
    ///   - group: the group that the writer leads.
    public func write(_ command: [String], key: String, term: Int64, leading group: ElectionGroup) -> Write {
        Write(
            script: Self.script,
            keys: [Self.fenceKey(of: key), key, LeaseKeys(prefix: prefix).lease(group)],
            arguments: [String(term)] + command
        )
    }

    /// Where the largest term that wrote to a key is kept: in a cluster in the same slot.
    ///
    /// That needs a hash tag, or a key without a closing brace.
    public static func fenceKey(of key: String) -> String {
        // A cluster hashes what stands between the first brace and the next closing one, if anything does.
        if let open = key.firstIndex(of: "{"), let close = key[open...].firstIndex(of: "}"),
            key.index(after: open) != close
        {
            return key + ":fence"
        }
        return key.contains("}") ? key + ":fence" : "{\(key)}:fence"
    }

    // KEYS: the fence, the key to be written, and perhaps the lease. ARGV: the term, then the command's words.
    static let script = """
        if redis.replicate_commands then redis.replicate_commands() end
        local term = tonumber(ARGV[1])
        if not term or term < 1 or term >= 9007199254740992 or term % 1 ~= 0 then
          return redis.error_reply('FENCED the term ' .. ARGV[1] .. ' is none')
        end
        local largest = tonumber(redis.call('GET', KEYS[1]) or '0')
        if not largest then return redis.error_reply('FENCED ' .. KEYS[1] .. ' holds no term; delete it if it is not a fence') end
        if term < largest then
          return redis.error_reply('FENCED term ' .. ARGV[1] .. ' is over: term ' .. string.format('%.0f', largest) .. ' has written')
        end
        if KEYS[3] then
          local lease = redis.call('HMGET', KEYS[3], 'term', 'nonce', 'deadline_ms')
          local clock = redis.call('TIME')
          local now = math.floor((clock[1] * 1000000 + clock[2]) / 1000)
          if tonumber(lease[1] or '0') ~= term or not lease[2] or (tonumber(lease[3]) or 0) < now then
            return redis.error_reply('FENCED term ' .. ARGV[1] .. ' does not lead any more')
          end
        end
        local words = {}
        for index = 2, #ARGV do words[#words + 1] = ARGV[index] end
        -- The fence first: there must be no write that it does not know of.
        if term > largest then redis.call('SET', KEYS[1], string.format('%.0f', term)) end
        return redis.pcall(unpack(words))
        """
}
#endif
