--- Users' entries: which devices have series of a user.
--- @include layout

-- Take note that a user has a series at a device.
local function enter(base, user, device, token)
  call('HSET', user_key(base, user), device, token)
  call('SADD', base .. 'U', user)
end

-- Forget that, if the entry is still the one with this token.
local function leave(base, user, device, token)
  local key = user_key(base, user)
  if call('HGET', key, device) ~= token then return end
  call('HDEL', key, device)
  if call('EXISTS', key) == 0 then call('SREM', base .. 'U', user) end
end

-- Forget a device that has no series left.
local function forget_if_empty(base, device)
  if call('EXISTS', device_key(base, device)) == 0 then call('SREM', base .. 'D', device) end
end
