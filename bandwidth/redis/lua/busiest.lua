--- Names the devices with the most bytes in a span.
--
-- KEYS    the span
-- ARGV    1 its number
--         2 how many devices to name
-- Answer  keys of devices, each followed by its bytes, the most first
-- Cost    O(log devices + named)
--- @include command
--- @include spans

command('bandwidth_busiest', READS, function(keys, args)
  if not is_span(keys[1], tonumber(args[1])) then return {} end
  local found = call('ZREVRANGE', keys[1], 0, args[2] - 1, 'WITHSCORES')
  if found[#found - 1] == '' then found[#found], found[#found - 1] = nil, nil end
  return found
end)
