--- Tells how much is stored.
--
-- KEYS    1 registry, 2 entries
-- Answer  {devices; entries}
-- Cost    O(1)
--- @include command

command('bandwidth_totals', READS, function(keys)
  return {call('ZCARD', keys[1]), call('GET', keys[2]) or '0'}
end)
