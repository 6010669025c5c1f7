--- What is known of all devices of a stripe: their registry, when something of each is too old, how many entries.
--- @include builtins

-- Fail, before anything is written, if what is under the keys of all devices is something else. Returns the number of
-- devices, and of entries.
local function check_registry(registry, stale, entries)
  local number = tonumber(call('GET', entries) or 0)
  if not number or call('ZCARD', stale) ~= call('ZCARD', registry) then error('no such registry') end
  return call('ZCARD', registry), number
end

-- Count so many entries more, or less. Nothing is left behind where nothing is stored.
local function count(entries, more)
  if more ~= 0 and call('INCRBY', entries, format('%.0f', more)) == 0 then call('DEL', entries) end
end

-- Forget a device.
local function remove(key, registry, stale)
  call('ZREM', registry, key)
  call('ZREM', stale, key)
  call('UNLINK', key)
end
