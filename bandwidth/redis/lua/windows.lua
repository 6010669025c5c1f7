--- Sums a device's entries up to each border of its windows.
--
-- KEYS    the device
-- ARGV    1 end, 2 length, 3 number of windows
--         4 the oldest second that is kept
-- Answer  one string: the sums up to each border from the first window's start on, or up to the oldest second if that
--         is later, as addends, one for each level of the tree; nil for a device that has no entries
-- Cost    a binary search per border, and the nodes that the borders lie in
--- @include command
--- @include device
--- @include sums_until

command('bandwidth_windows', READS, function(keys, args)
  local head, root = read_head(keys[1])
  local oldest = tonumber(args[4])
  if not head or head.last < oldest then return nil end
  local until_time, sums = sums_until(keys[1], head, root), head.sums
  local none = rep(NO_SUMS, head.depth + 1)
  local all = pack('<' .. SUMS, unpack(sums, 2, 6)) .. rep(NO_SUMS, head.depth)
  local stop, length, number = tonumber(args[1]), tonumber(args[2]), tonumber(args[3])
  local packed = {}
  for k = 0, number do
    local border, found = max(stop - length * (number - k), oldest - 1), none
    if border >= head.last then
      found = all
    elseif border >= head.first then
      found = until_time(border)
    end
    packed[k + 1] = found
  end
  return concat(packed)
end)
