--- Compares the settings of a member with those of the others, and counts it among them for some time.
--
-- KEYS    the hash of settings, the sorted set of members by the second until which they count
-- ARGV    the member, how many seconds it counts, 1 if it joins or 0 if it goes on; of each setting its name, its
--         value, and 1 if it is strict or 0
-- Answer  of each setting that differs: name, value of the others
-- Cost    O(settings + log members)
--- @include command

-- The settings that differ, in a flat list, and whether a strict one is among them.
local function differing_settings(key, args)
  local found, is_kept_out = {}, false
  for at = 4, #args, 3 do
    local value = call('HGET', key, args[at])
    if value and value ~= args[at + 1] then
      found[#found + 1], found[#found + 2] = args[at], value
      is_kept_out = is_kept_out or args[at + 2] == '1'
    end
  end
  return found, is_kept_out
end

-- A member that is alone writes its settings. Otherwise strict ones that differ keep it out and leave everything as it
-- is; of the others the last one that joined decides. The call may run when the memory is full: it writes little.
command('settings_agree', REMOVES, function(keys, args)
  local settings, members, member = keys[1], keys[2], args[1]
  local now = tonumber(call('TIME')[1])
  call('ZREMRANGEBYSCORE', members, '-inf', now)
  local others = call('ZCARD', members)
  if call('ZSCORE', members, member) then others = others - 1 end
  if others == 0 then call('DEL', settings) end
  local found, is_kept_out = differing_settings(settings, args)
  if is_kept_out then return found end
  for at = 4, #args, 3 do
    call(args[3] == '1' and 'HSET' or 'HSETNX', settings, args[at], args[at + 1])
  end
  call('ZADD', members, now + args[2], member)
  return found
end)
