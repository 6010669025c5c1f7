--- Removes users' entries, each only if it still has its token.
--
-- KEYS    base
-- ARGV    user, device, token of each entry
-- Answer  nothing
-- Cost    O(entries)
--- @include command
--- @include index

command('datapoints_leave', REMOVES, function(keys, args)
  for i = 1, #args, 3 do leave(keys[1], args[i], args[i + 1], args[i + 2]) end
end)
