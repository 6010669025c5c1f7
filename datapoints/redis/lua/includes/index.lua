--- The index of a user: entries that name the devices which have a series of this user.
--- @include layout

-- Enter a device in the index of a user.
local function enter(base, user, device, token)
  call('HSET', user_key(base, user), device, token)
  call('SADD', base .. 'U', user)
end

-- Remove a device from the index of a user, if the entry still has this token.
local function leave(base, user, device, token)
  local key = user_key(base, user)
  if call('HGET', key, device) ~= token then return end
  call('HDEL', key, device)
  if call('EXISTS', key) == 0 then call('SREM', base .. 'U', user) end
end

-- Remove a device that has no series left.
local function forget_if_empty(base, device)
  if call('EXISTS', device_key(base, device)) == 0 then call('SREM', base .. 'D', device) end
end
