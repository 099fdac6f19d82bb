// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection

extension LeaseScripts {
    /// One message for all changes of a call, with the number of its listeners.
    ///
    /// A line is `+term group` for a grant, `-term group` for a release, `~term group` for a transfer and `!0 group` for a note.
    /// `+term/count group` tells about how many are candidates of the group, which among all who listen can be few.
    ///
    /// When many wait for a lease that was given back, or many who have nothing to do with it listen, each that is woken keeps
    /// the next leader from the processor, only to find out that others were faster, or that nothing concerns it:
    /// `publish(true)` tells some of those who wait, or only those, says so in the second field of the answer, and leaves it to
    /// the caller to tell the others. A server that does not permit it must not spoil the rest.
    static let publishing = """
        local changes = {}
        local function changed(kind, key, term)
          changes[#changes + 1] = {text = kind .. text(term), name = string.sub(key, tonumber(ARGV[5]) + 1)}
        end
        local counting = ARGV[2] == 'SPUBLISH' and 'SHARDNUMSUB' or 'NUMSUB'
        local function say(channel, count, lines)
          local sent = redis.pcall(ARGV[2], channel, ARGV[4] .. ' ' .. text(count) .. '\\n' .. table.concat(lines, '\\n'))
          if type(sent) == 'table' and sent.err then answers[2] = 1 end
        end
        -- The channels of the lots, how many listen to each, and to all together.
        local function candidates(name)
          local bucket, channels, counts, total = 0, {}, {}, 0
          for at = 1, #name do bucket = (bucket * 33 + string.byte(name, at)) % \(LeaseKeys.buckets) end
          for lot = 1, \(HintSpread.lots) do channels[lot] = ARGV[3] .. ':' .. bucket .. '.' .. (lot - 1) end
          local numbers = redis.pcall('PUBSUB', counting, unpack(channels))
          for lot = 1, \(HintSpread.lots) do
            counts[lot] = not numbers.err and tonumber(numbers[2 * lot]) or 0
            total = total + counts[lot]
          end
          return channels, counts, total
        end
        local function publish(mayTellFew)
          if #changes == 0 or ARGV[2] == '' then return end
          local number = redis.pcall('PUBSUB', counting, ARGV[3])
          local listeners = not number.err and tonumber(number[2]) or 0
          local lines = {}
          for index, change in ipairs(changes) do
            local line = change.text
            if #changes <= 64 and string.find(line, '^[+-]') then
              local channels, counts, total = candidates(change.name)
              local isCrowd = total > \(HintSpread.unspread)
              if mayTellFew and #changes == 1 and total > 0 and (isCrowd or listeners > 2 * total + 8) then
                local told, first = 0, micros % \(HintSpread.lots)
                for offset = 0, \(HintSpread.lots - 1) do
                  local lot = (first + offset) % \(HintSpread.lots) + 1
                  if counts[lot] > 0 and not (isCrowd and told >= \(HintSpread.drawn)) then
                    say(channels[lot], isCrowd and counts[lot] or total, {line .. ' ' .. change.name})
                    told = told + counts[lot]
                  end
                end
                if answers[2] == 0 then answers[2] = 2 end
                return
              end
              if total > 0 then line = line .. '/' .. total end
            end
            lines[index] = line .. ' ' .. change.name
          end
          say(ARGV[3], listeners, lines)
        end

        """
}
#endif
