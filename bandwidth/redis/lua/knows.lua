--- Tells whether a marker is set.
--
-- KEYS    listings: the set of markers
-- ARGV    the marker
-- Answer  1 or 0
-- Cost    O(1)
--- @include command

command('bandwidth_knows', READS, function(keys, args)
  return call('SISMEMBER', keys[1], args[1])
end)
