--- Lists some names of devices or of users.
--
-- KEYS    base
-- ARGV    1  'D' for devices, 'U' for users
--         2  the cursor of the previous answer, '0' at first
--         3  about how many names to list
-- Answer  {the next cursor, '0' at the end; names}
-- Cost    O(names)
--- @include command

command('datapoints_names', READS, function(keys, args)
  return call('SSCAN', keys[1] .. args[1], args[2], 'COUNT', args[3])
end)
