--- Enters series in the indexes of their users, where these are under other bases than the series.
--
-- KEYS    base
-- ARGV    user, device, token of each entry
-- Answer  nothing
-- Cost    O(entries)
--- @include command
--- @include index

command('datapoints_enter', WRITES, function(keys, args)
  for i = 1, #args, 3 do enter(keys[1], args[i], args[i + 1], args[i + 2]) end
end)
