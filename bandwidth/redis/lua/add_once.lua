--- Adds rows and sets a marker, unless the marker is set already.
--
-- KEYS    1 listings: the set of markers
--         2… those of add; without them only the marker is set
-- ARGV    1 the marker
--         2… those of add
-- Answer  that of add; OK if the marker is set already
-- Cost    that of add
--- @include adding
--- @include command

command('bandwidth_add_once', WRITES, function(keys, args)
  if call('SISMEMBER', keys[1], args[1]) == 1 then return 'OK' end
  local done = #keys == 1 and 'OK' or add_rows(keys, 2, args, 2)
  if done == 'OK' then call('SADD', keys[1], args[1]) end
  return done
end)
