--- The registry of a stripe: its devices, when each has entries to drop, and how many entries there are.
--- @include builtins

-- Return the numbers of devices and of entries. Fail, before anything is written, if the keys hold anything but a
-- registry.
local function check_registry(registry, stale, entries)
  local number = tonumber(call('GET', entries) or 0)
  if not number or call('ZCARD', stale) ~= call('ZCARD', registry) then error('no such registry') end
  return call('ZCARD', registry), number
end

-- Change the number of entries; the key is deleted when none are left.
local function count(entries, more)
  if more ~= 0 and call('INCRBY', entries, format('%.0f', more)) == 0 then call('DEL', entries) end
end

-- Forget a device.
local function remove(key, registry, stale)
  call('ZREM', registry, key)
  call('ZREM', stale, key)
  call('UNLINK', key)
end
