--- Counts a member no longer.
--
-- KEYS    the sorted set of members
-- ARGV    the member
-- Answer  1, or 0 if it did not count
-- Cost    O(log members)
--- @include command

command('settings_leave', REMOVES, function(keys, args)
  return call('ZREM', keys[1], args[1])
end)
