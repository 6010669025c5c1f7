--- Lists the keys of devices, some at a time.
--
-- KEYS    registry
-- ARGV    1 a cursor, '0' first
--         2 about how many
--         3 the oldest second that is kept, or 0; devices without entries since then are left out
-- Answer  {the next cursor, '0' at the end; keys}
-- Cost    O(devices listed)
--- @include command

command('bandwidth_scan', READS, function(keys, args)
  local oldest, found = tonumber(args[3]), {}
  local cursor, scored = unpack(call('ZSCAN', keys[1], args[1], 'COUNT', args[2]))
  for i = 1, #scored, 2 do
    local head = oldest > 0 and call('HGET', scored[i], 'head')
    if oldest == 0 or head and select(2, unpack_from('<I7I7', head)) >= oldest then
      found[#found + 1] = scored[i]
    end
  end
  return {cursor, found}
end)
