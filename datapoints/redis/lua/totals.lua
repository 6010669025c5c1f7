--- Returns how much is stored under a base.
--
-- KEYS    base
-- Answer  {devices, users, series, points, points ever added}
-- Cost    O(1)
--- @include command
--- @include counters

command('datapoints_totals', READS, function(keys)
  local base = keys[1]
  local points, series = counted(base)
  local added = tonumber(call('HGET', base .. 'C', 'added') or 0)
  return {call('SCARD', base .. 'D'), call('SCARD', base .. 'U'), series, points, added}
end)
