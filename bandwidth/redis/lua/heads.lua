--- Reads the summaries of devices.
--
-- KEYS    the devices
-- ARGV    the oldest second that is kept
-- Answer  for each device its summary, or nil if it has no entries since then; if it also has older ones, the summary
--         is followed by the first instant since then and by the sums before it, one for each level
-- Cost    O(devices), and one node of each level for devices that have older entries
--- @include command
--- @include device
--- @include sums_until

command('bandwidth_heads', READS, function(keys, args)
  local oldest, answers = tonumber(args[1]), {}
  for i, key in ipairs(keys) do
    local bytes = call('HGET', key, 'head')
    local first, last
    if bytes then first, last = unpack_from('<I7I7', bytes) end
    if bytes and last >= oldest and first < oldest then
      local head, root = read_head(key)
      local sums, next = sums_until(key, head, root)(oldest - 1)
      bytes = bytes .. pack('<I7', next) .. sums
    end
    answers[i] = bytes and last >= oldest and bytes
  end
  return answers
end)
