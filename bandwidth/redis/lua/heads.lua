--- Reads the summaries of devices.
--
-- KEYS    the devices
-- ARGV    the oldest second that is kept
-- Answer  for each that has entries since then its summary, else nil; where it has older ones followed by its first
--         instant since then and the sums before that, one for each level
-- Cost    O(devices), and for those that have older entries a node of each level
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
