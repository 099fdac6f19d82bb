// SPDX-License-Identifier: MIT
#if Redis

/// What the server carries out at once for a whole batch.
///
/// Each script answers with one flat array: a header, then for each key a status with what belongs to it; see
/// ``LeaseReply``. Numbers stay below 2^53, which Lua keeps exactly, and are written by `%.0f`, never as floats.
enum LeaseScripts {
    static let acquire = RedisScript(source: clock + records + publishing + authority + acquiring)
    static let renew = RedisScript(source: clock + records + renewing)
    static let release = RedisScript(source: clock + records + publishing + releasing)
    /// Tells all of releases that only few were told of, unless one of these has taken the lease.
    static let announce = RedisScript(source: clock + records + publishing + announcing)
    static let read = RedisScript(source: clock + records + reading)

    /// The fields of a lease, a hash that never expires: its deadline is one of them.
    ///
    /// A key with an expiry would vanish when the server's clock is set forward, and nobody could tell any more that a
    /// leader may still rely on it.
    static let fields = ["term", "nonce", "deadline_ms", "seq", "ttl_ms", "holder", "incarnation", "meta"]

    /// The server's time, and whether it is believed; `limit` is the latest time that the caller believes.
    static let clock = """
        if redis.replicate_commands then redis.replicate_commands() end
        local clock = redis.call('TIME')
        local micros = clock[1] * 1000000 + clock[2]
        local now = math.floor(micros / 1000)
        local limit = tonumber(ARGV[1])
        local credible = limit == nil or now <= limit
        local function text(number) return string.format('%.0f', number) end

        """

    /// `lease(key)` is the hash as it counts: nil and a message if it cannot be understood.
    static let records = """
        local answers = {micros, 0, 0, 0}
        local function answer(value) answers[#answers + 1] = value end
        local function whole(value)
          local number = tonumber(value)
          if number and number >= 0 and number < 9007199254740992 and number % 1 == 0 then return number end
        end
        local function lease(key)
          local raw = redis.pcall('HMGET', key, \(fields.map { "'\($0)'" }.joined(separator: ", ")))
          if raw.err then return nil, raw.err end
          local record = {term = 0, nonce = raw[2]}
          if raw[1] then record.term = whole(raw[1]) end
          if not record.term then return nil, 'the term is no number that an election writes' end
          if not record.nonce then return record end
          record.deadline, record.seq, record.ttl = whole(raw[3]), whole(raw[4]), whole(raw[5])
          if not (record.deadline and record.seq and record.ttl and raw[1] and raw[6] and raw[7]) then
            return nil, 'the lease does not say properly who holds it and for how long'
          end
          record.holder, record.incarnation, record.meta = raw[6], raw[7], raw[8] or '{}'
          local isOver = record.deadline < now
          record.over = isOver and credible
          -- By a clock that was set, nobody can tell how much time is left.
          record.untimed = (isOver and not credible) or record.deadline - now > record.ttl + 1000
          return record
        end
        local function held(record)
          answer(2) answer(record.term) answer(record.seq) answer(record.ttl)
          answer(record.untimed and -1 or math.max(0, math.min(record.ttl, record.deadline - now + 1)))
          answer(record.holder) answer(record.incarnation) answer(record.meta)
        end
        local function refused(message) answer(3) answer(message) end

        """

    /// `wait()` is for how many milliseconds nothing new may be granted; found out only when something could be.
    ///
    /// The key of the authority remembers which server process, with which history of data, granted leases last. Another one may
    /// not know all of them, so that it waits until the longest that anybody asked for has run out.
    private static let authority = """
        local seen = 0
        local hold
        local function serverIdentity()
          local server = redis.pcall('INFO', 'server')
          local replication = redis.pcall('INFO', 'replication')
          if type(server) == 'table' or type(replication) == 'table' then return nil end
          return string.match(server, 'run_id:(%w+)') or '', string.match(replication, 'master_replid:(%w+)') or '',
            string.match(replication, 'master_replid2:(%w+)') or '', tonumber(string.match(server, 'uptime_in_seconds:(%d+)'))
        end
        -- Somebody emptied the database since the server started, and somebody else is there who may not know it yet.
        local function mayHaveLostLeases()
          local commands = redis.pcall('INFO', 'commandstats')
          local stats = redis.pcall('INFO', 'stats')
          if type(commands) == 'table' or type(stats) == 'table' then return true end
          local isEmptied = tonumber(string.match(stats, 'evicted_keys:(%d+)') or 0) > 0
          for _, name in ipairs({'flushall', 'flushdb', 'swapdb'}) do
            if tonumber(string.match(commands, 'cmdstat_' .. name .. ':calls=(%d+)') or 0) > 0 then isEmptied = true end
          end
          if not isEmptied then return false end
          if ARGV[2] == '' then return true end
          local count = redis.pcall('PUBSUB', counting, ARGV[3])
          return count.err ~= nil or count[2] > tonumber(ARGV[9])
        end
        local function wait()
          if hold then return hold end
          hold = 0
          if ARGV[8] == 'off' then return hold end
          local key, longest = KEYS[1], tonumber(ARGV[6])
          local stored = redis.call('HMGET', key, 'identity', 'hold_ms', 'longest_ms')
          local mark = tonumber(stored[2]) or 0
          local identity
          if ARGV[8] == 'connection' then
            identity = stored[1] or 'unknown'
            if stored[1] or mark > 0 then seen = 1 elseif ARGV[7] == '1' then seen = 4 else seen = 2 end
            if seen == 4 then mark = now + longest end
          else
            local run, history, former, uptime = serverIdentity()
            if not run then
              seen = 6
              hold = 1000
              return hold
            end
            identity = run .. ' ' .. history
            longest = math.max(longest, tonumber(stored[3]) or 0)
            if stored[1] == identity then
              seen = 1
            elseif not stored[1] then
              if mark > 0 then
                seen = 4
              elseif ARGV[7] == '1' then
                seen = 4
                mark = now + longest
              elseif uptime and (uptime - 1) * 1000 > longest then
                seen = 2
                if mayHaveLostLeases() then
                  seen = 4
                  mark = now + longest
                end
              else
                seen = 5
                mark = now + longest - math.max(0, (uptime or 0) - 1) * 1000
              end
            elseif string.sub(stored[1], 1, #run + 1) == run .. ' ' and string.match(former, '^0+$') then
              -- The same process, never promoted: it began a new history for its first replica, with the same data.
              seen = 1
            else
              seen = 3
              mark = now + longest
            end
          end
          if mark > now + longest then mark = now + longest end
          if mark > 0 and mark <= now and credible then mark = 0 end
          longest = math.max(longest, tonumber(stored[3]) or 0)
          if stored[1] ~= identity or (tonumber(stored[2]) or 0) ~= mark or tonumber(stored[3]) ~= longest then
            redis.call('HSET', key, 'identity', identity, 'hold_ms', text(mark), 'longest_ms', text(longest))
          end
          if mark > 0 then hold = math.max(mark - now, 100) end
          return hold
        end

        """

    // KEYS: authority, then leases.
    // ARGV: limit, publish command, channel, sender, length of the keys' prefix, longest lease, whether the authority was
    // seen before, how to recognize the server, how many subscriptions are the caller's, what to do, whether the server may
    // have been restarted; then nine for each lease.
    private static let acquiring = """
        local mode = ARGV[10]
        for index = 2, #KEYS do
          local key, at = KEYS[index], 9 * index - 7
          local nonce, previous, ttl = ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 5])
          local proposal = tonumber(ARGV[at + 9])
          local record, message = lease(key)
          local function write(term, seq)
            redis.call('HSET', key, 'term', text(term), 'nonce', nonce, 'deadline_ms', text(now + ttl), 'seq', text(seq),
              'ttl_ms', text(ttl), 'holder', ARGV[at + 6], 'incarnation', ARGV[at + 7], 'meta', ARGV[at + 8])
            answer(1) answer(term)
          end
          if not record then
            refused(message)
          elseif mode == 'heal' and (record.nonce == nonce and record.term == proposal
              or (not record.nonce or record.over) and record.term < proposal) then
            write(proposal, (record.seq or 0) + 1)
          elseif record.nonce == nonce and not record.over and not (proposal and proposal > record.term) then
            write(record.term, record.seq + 1)
          elseif not record.nonce or record.over or record.nonce == nonce or record.nonce == previous
              or (ARGV[at + 3] == text(record.term) and ARGV[at + 4] == text(record.seq or -1)) then
            local term = proposal or math.max(record.term + 1, now)
            if term <= record.term then
              answer(6) answer(record.term)
            elseif term >= 9007199254740992 then
              refused('the term has grown beyond what can be counted')
            elseif wait() > 0 then
              answer(4) answer(hold)
            else
              write(term, 0)
              changed('+', key, term)
            end
          else
            held(record)
          end
        end
        -- A wait that began only when a lease is free would delay an orderly hand-over, however long ago the restart was.
        if ARGV[11] == '1' then wait() end
        publish()
        answers[3], answers[4] = seen, hold or 0
        return answers
        """

    // KEYS: authority, then leases. ARGV: limit, longest lease; then nonce, term and lease for each.
    private static let renewing = """
        local isMissing = false
        for index = 2, #KEYS do
          local key, at = KEYS[index], 3 * index - 4
          local raw = redis.pcall('HMGET', key, 'term', 'nonce', 'deadline_ms', 'seq')
          local seq = not raw.err and raw[4] and whole(raw[4])
          local deadline = seq and raw[3] and whole(raw[3])
          if deadline and raw[1] == ARGV[at + 2] and raw[2] == ARGV[at + 1] then
            if deadline < now and credible then
              answer(0)
            else
              local ttl = ARGV[at + 3]
              redis.call('HSET', key, 'deadline_ms', text(now + tonumber(ttl)), 'ttl_ms', ttl, 'seq', text(seq + 1))
              answer(1)
            end
          else
            local record, message = lease(key)
            if not record then
              refused(message)
            elseif record.nonce and record.nonce ~= ARGV[at + 1] and not record.over then
              held(record)
            else
              isMissing = isMissing or record.term == 0
              answer(0)
            end
          end
        end
        if isMissing and ARGV[2] ~= '' and redis.call('EXISTS', KEYS[1]) == 0 then
          -- The data is gone while leases of it may still be relied on; whoever comes next must wait for them.
          redis.call('HSET', KEYS[1], 'hold_ms', text(now + tonumber(ARGV[2])), 'longest_ms', ARGV[2])
        end
        return answers
        """

    // KEYS: leases. ARGV: nothing, publish command, channel, sender, length of the keys' prefix; then nonce and term for each.
    private static let releasing = """
        for index = 1, #KEYS do
          local key, at = KEYS[index], 2 * index + 3
          local raw = redis.pcall('HMGET', key, 'term', 'nonce')
          if raw.err then
            refused(raw.err)
          elseif raw[2] and raw[2] == ARGV[at + 1] and (ARGV[at + 2] == '' or ARGV[at + 2] == raw[1]) then
            redis.call('HDEL', key, 'nonce', 'deadline_ms', 'seq', 'ttl_ms', 'holder', 'incarnation', 'meta')
            changed('-', key, tonumber(raw[1]) or 0)
            answer(1)
          else
            answer(0)
          end
        end
        publish(true)
        return answers
        """

    // KEYS: leases. ARGV: nothing, publish command, channel, sender, length of the keys' prefix; then the term of each if it is known.
    private static let announcing = """
        for index = 1, #KEYS do
          local raw = redis.pcall('HMGET', KEYS[index], 'term', 'nonce')
          local isMeant = not raw.err and raw[1] and not raw[2] and (ARGV[index + 5] == '' or ARGV[index + 5] == raw[1])
          if isMeant then changed('-', KEYS[index], tonumber(raw[1]) or 0) end
        end
        publish()
        return answers
        """

    // KEYS: leases. ARGV: limit.
    private static let reading = """
        for index = 1, #KEYS do
          local record, message = lease(KEYS[index])
          if not record then
            refused(message)
          elseif record.nonce and not record.over then
            held(record)
          else
            answer(5) answer(record.term)
          end
        end
        return answers
        """
}
#endif
