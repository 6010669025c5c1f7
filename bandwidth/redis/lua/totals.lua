--- Tells how much is stored, and which devices are the busiest.
--
-- KEYS    1 registry, 2 entries
-- ARGV    how many of the busiest devices to name
-- Answer  {devices; entries; keys of the busiest, each followed by its bytes}
-- Cost    O(log devices + busiest)
--- @include command

command('bandwidth_totals', READS, function(keys, args)
  local most = tonumber(args[1])
  local busiest = most > 0 and call('ZREVRANGE', keys[1], 0, most - 1, 'WITHSCORES') or {}
  return {call('ZCARD', keys[1]), call('GET', keys[2]) or '0', busiest}
end)
