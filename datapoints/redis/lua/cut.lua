--- Drops points before a time, in steps.
--
-- KEYS    base
-- ARGV    1  '1' if the entries of users are under the same base, else '0'
--         2  the time, the start of a quarter-hour
--         3… device and user of each series; without any: some of the series that begin before the time
-- Answer  {1 if there may be more, else 0; user, device and token of each series of which nothing is left}
-- Cost    O(series + blocks removed), at most about CUT_SERIES and CUT_BLOCKS of them
--- @include command
--- @include counters
--- @include dropping

-- Drop the points of a series before `oldest`; if they fill many blocks only some of them, at least a quarter-hour.
-- Returns how many points were dropped, and from about how many blocks. The rest of the series is saved; if there is no
-- rest, its user, device and token are appended to `dropped`.
local function cut(series, oldest, here, dropped)
  local time, blocks = oldest, series.points.blocks
  if blocks > CUT_BLOCKS then
    local bound = call('ZRANGE', series.points.key, CUT_BLOCKS, CUT_BLOCKS)[1]
    local quarter = max(floor(bound / QUARTER_HOUR), floor(series.first / QUARTER_HOUR) + 1)
    time = min(oldest, QUARTER_HOUR * quarter)
  end
  if series.last < time then
    dropped[#dropped + 1] = series.user
    dropped[#dropped + 1] = series.device
    dropped[#dropped + 1] = pack('<d', series.epoch)
    local gone = drop(series.base, series.device, series.user, series.packed, here)
    forget_if_empty(series.base, series.device)
    return gone, blocks
  end
  local gone = cut_column(series.points, time)
  cut_column(series.sums, time / QUARTER_HOUR)
  series.count = series.count - gone
  series.first = unpack_from('<d', call('GETRANGE', block_key(series.points, '0'), 0, 7))
  note_first(series)
  save(series)
  return gone, blocks - series.points.blocks
end

command('datapoints_cut', REMOVES, function(keys, args)
  local base, here, oldest = keys[1], args[1] == '1', tonumber(args[2])
  local gone, blocks, dropped, names = 0, 0, {}, {unpack(args, 3)}
  if #names == 0 then
    for _, name in ipairs(call('ZRANGEBYSCORE', base .. 'F', '-inf', '(' .. args[2], 'LIMIT', 0, CUT_SERIES)) do
      names[#names + 1], names[#names + 2] = name:match('^(.-)\31(.*)$')
    end
  end
  for i = 1, #names, 2 do
    local series = stored_series(base, names[i], names[i + 1])
    if series.count > 0 and series.first < oldest then
      local points, used = cut(series, oldest, here, dropped)
      gone, blocks = gone + points, blocks + used
      if blocks >= CUT_BLOCKS then break end
    end
  end
  if gone > 0 then count_points(base, -gone, 0) end
  return {(blocks >= CUT_BLOCKS or #names == 2 * CUT_SERIES) and 1 or 0, dropped}
end)
