--- Deletes some devices with all their series or, if there are none, some users.
--
-- KEYS    base
-- Answer  1 if there may be more, else 0
-- Cost    O(series and their blocks), for at most CLEARED_NAMES devices
--- @include command
--- @include counters
--- @include dropping

command('datapoints_clear', REMOVES, function(keys)
  local base = keys[1]
  local devices = call('SRANDMEMBER', base .. 'D', CLEARED_NAMES)
  for _, device in ipairs(devices) do count_points(base, -drop_device(base, device, false), 0) end
  if #devices > 0 then return 1 end
  local users = call('SPOP', base .. 'U', CLEARED_NAMES)
  for i, user in ipairs(users) do users[i] = user_key(base, user) end
  unlink(users)
  return #users > 0 and 1 or 0
end)
