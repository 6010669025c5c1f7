--- Lists names of devices or of users, some at a time.
--
-- KEYS    base
-- ARGV    1  'D' for devices, 'U' for users
--         2  a cursor, '0' first
--         3  about how many
-- Answer  {the next cursor, '0' at the end; names}
-- Cost    O(names)
--- @include command

command('datapoints_names', READS, function(keys, args)
  return call('SSCAN', keys[1] .. args[1], args[2], 'COUNT', args[3])
end)
