--- Enters series among those of their users, where these are under a base of their own.
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
