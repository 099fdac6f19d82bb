// SPDX-License-Identifier: MIT
#if Redis

/// What the server does with notes; answered as ``LeaseScripts`` are.
///
/// The notes of a group are one hash, beside its lease: under each note's key its end by the server's clock, a space, and
/// the text. The hash as a whole expires with the last of them. A field that no note can have remembers when the hash was
/// last looked through for notes that are over: with a thousand candidates, not at each of their writings.
enum NoteScripts {
    static let write = RedisScript(source: LeaseScripts.clock + shared + LeaseScripts.publishing + writing)
    static let remove = RedisScript(source: LeaseScripts.clock + shared + removing)
    static let read = RedisScript(source: LeaseScripts.clock + shared + reading)

    /// For how long notes that are over may stay in a hash that others are written to.
    static let sweepInterval = 10_000

    private static let shared = """
        local answers = {micros, 0, 0, 0}
        local function answer(value) answers[#answers + 1] = value end
        local failure
        local function try(...)
          local result = redis.pcall(...)
          if type(result) == 'table' and result.err then
            failure = failure or result.err
            return nil
          end
          return result
        end
        local function conclude()
          if failure then answer(3) answer(failure) else answer(1) end
        end
        local function isOver(value)
          local ends = tonumber(string.match(value, '^(%d+) '))
          return not ends or ends <= now
        end

        """

    // KEYS: hashes. ARGV: nothing, publish command, channel, sender, length of the keys' prefix; then for each its key, text,
    // lifetime, and whether it is news.
    private static let writing = """
        for index = 1, #KEYS do
          local key, at = KEYS[index], 4 * index + 1
          local field, lifetime = ARGV[at + 1], tonumber(ARGV[at + 3])
          failure = nil
          local marks, left = try('HMGET', key, '.'), try('PTTL', key)
          local swept = marks and tonumber(marks[1] or 0) or 0
          if not failure and (now - swept >= \(sweepInterval) or swept > now) then
            local all = try('HGETALL', key) or {}
            for number = 1, #all, 2 do
              if all[number] ~= '.' and isOver(all[number + 1]) then try('HDEL', key, all[number]) end
            end
            if not failure then try('HSET', key, '.', text(now)) end
          end
          if not failure then try('HSET', key, field, text(now + lifetime) .. ' ' .. ARGV[at + 2]) end
          if not failure and left < lifetime then
            try('PEXPIRE', key, text(lifetime))
            -- One that would never be forgotten must not stay.
            if failure then redis.pcall('HDEL', key, field, '.') end
          end
          if not failure and ARGV[at + 4] == '1' then changed('!', key, 0) end
          conclude()
        end
        publish()
        return answers
        """

    // KEYS: hashes. ARGV: nothing; then the key of a note for each.
    private static let removing = """
        for index = 1, #KEYS do
          failure = nil
          try('HDEL', KEYS[index], ARGV[index + 1])
          conclude()
        end
        return answers
        """

    // KEYS: hashes. ARGV: nothing.
    private static let reading = """
        for index = 1, #KEYS do
          failure = nil
          local all = try('HGETALL', KEYS[index])
          conclude()
          if all then
            local found = {}
            for number = 1, #all, 2 do
              local value = all[number + 1]
              if all[number] ~= '.' and not isOver(value) then
                found[#found + 1] = all[number]
                found[#found + 1] = string.sub(value, string.find(value, ' ', 1, true) + 1)
              end
            end
            answer(#found / 2)
            for _, word in ipairs(found) do answer(word) end
          end
        end
        return answers
        """
}
#endif
