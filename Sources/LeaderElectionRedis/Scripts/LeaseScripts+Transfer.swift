// SPDX-License-Identifier: MIT
#if Redis

extension LeaseScripts {
    /// Gives leases that still stand to heirs, each in a new term.
    static let transfer = RedisScript(source: clock + records + publishing + transferring)

    // KEYS: authority, then leases. ARGV: limit, publish command, channel, sender, length of the keys' prefix, longest lease;
    // then for each lease nonce, term, nonce of the heir, lease, holder, incarnation, metadata.
    private static let transferring = """
        for index = 2, #KEYS do
          local key, at = KEYS[index], 7 * index - 8
          local record, message = lease(key)
          if not record then
            refused(message)
          elseif record.nonce == ARGV[at + 1] and text(record.term) == ARGV[at + 2] and not record.over then
            local term = math.max(record.term + 1, now)
            if term >= 9007199254740992 then
              refused('the term has grown beyond what can be counted')
            else
              redis.call('HSET', key, 'term', text(term), 'nonce', ARGV[at + 3],
                'deadline_ms', text(now + tonumber(ARGV[at + 4])), 'seq', '0', 'ttl_ms', ARGV[at + 4],
                'holder', ARGV[at + 5], 'incarnation', ARGV[at + 6], 'meta', ARGV[at + 7])
              changed('~', key, term)
              answer(1) answer(term)
            end
          else
            answer(0)
          end
        end
        if #changes > 0 and ARGV[6] ~= '' then
          local longest = tonumber(redis.call('HMGET', KEYS[1], 'longest_ms')[1])
          if longest and longest < tonumber(ARGV[6]) then redis.call('HSET', KEYS[1], 'longest_ms', ARGV[6]) end
        end
        publish()
        return answers
        """
}
#endif
