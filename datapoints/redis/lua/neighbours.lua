--- Finds the points of some series that are next to a time.
--
-- KEYS    base
-- ARGV    1  the time, 2… device and user of each series
-- Answer  {time of the last point before it, time of the first at or after it}; -1 if there is none
-- Cost    O(series * log blocks)
--- @include command
--- @include series

-- Return the last time in a series before `time`, and the first at or after it; -1 if there is none.
local function around(series, time)
  local column, before, after = series.points, -1, -1
  if series.count == 0 then return before, after end
  local bound, beyond = bounds_around(column, time)
  local block = call('GET', block_key(column, bound))
  local row = first_from(block, POINTS, time, 0)
  if row < #block / POINTS.width then
    after = key_of(block, POINTS, row)
  elseif beyond then
    after = (unpack_from('<d', call('GETRANGE', block_key(column, beyond), 0, 7)))
  end
  if row > 0 then
    before = key_of(block, POINTS, row - 1)
  elseif bound ~= '0' then
    local previous = call('ZREVRANGEBYSCORE', column.key, '(' .. bound, '-inf', 'LIMIT', 0, 1)[1]
    before = (unpack_from('<d', call('GETRANGE', block_key(column, previous), -POINTS.width, -1)))
  end
  return before, after
end

command('datapoints_neighbours', READS, function(keys, args)
  local before, after = -1, -1
  for i = 2, #args, 2 do
    local one, other = around(stored_series(keys[1], args[i], args[i + 1]), tonumber(args[1]))
    before = max(before, one)
    if other >= 0 and (after < 0 or other < after) then after = other end
  end
  return {before, after}
end)
