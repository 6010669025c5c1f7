--- Forgets devices.
--
-- KEYS    1 registry, 2 stale, 3 entries: of all devices
--         4… the devices
-- Answer  OK
-- Cost    O(log devices) each; the server frees the memory in the background
--- @include command
--- @include device
--- @include registry

command('bandwidth_delete', REMOVES, function(keys)
  local registry, stale, entries = unpack(keys)
  check_registry(registry, stale, entries)
  local less = 0
  for i = 4, #keys do
    local head = read_head(keys[i])
    less = less + (head and head.sums[2] or 0)
  end
  for i = 4, #keys do remove(keys[i], registry, stale) end
  count(entries, -less)
  return 'OK'
end)
