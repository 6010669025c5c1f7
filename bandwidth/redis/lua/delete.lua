--- Forgets devices.
--
-- KEYS    1 registry, 2 stale, 3 entries: of all devices
--         4 to 7 all spans
--         8… the devices
-- Answer  OK
-- Cost    O(log devices) each; the server frees the memory in the background
--- @include command
--- @include device
--- @include registry
--- @include spans

command('bandwidth_delete', REMOVES, function(keys)
  local registry, stale, entries = unpack(keys)
  local own = 4 + ALL_SPANS
  check_registry(registry, stale, entries)
  for i = 4, own - 1 do call('ZCARD', keys[i]) end -- fails if it is no span
  local less = 0
  for i = own, #keys do
    local head = read_head(keys[i])
    less = less + (head and head.sums[2] or 0)
  end
  for i = own, #keys do
    remove(keys[i], registry, stale)
    for span = 4, own - 1 do call('ZREM', keys[span], keys[i]) end
  end
  count(entries, -less)
  return 'OK'
end)
