--- Removes the points of some series in a range of time.
--
-- KEYS    base
-- ARGV    1  '1' if the entries of users are under the same base, else '0'
--         2  start and 3  stop of the range
--         4… device and user of each series; '' as user: all series of the device
-- Answer  {how many points there were; user, device and token of each series of which nothing is left}
-- Cost    O(series + blocks removed + blocks of two quarter-hours of each)
--- @include command
--- @include counters
--- @include dropping
--- @include ranges
--- @include summing

-- Remove the sums of quarter-hours, after the points with start <= time < stop.
local function erase_sums(series, start, stop)
  local first, last = floor(start / QUARTER_HOUR), floor(stop / QUARTER_HOUR)
  local low, high = first + 1, last
  if sum_again(series, first) == 0 then low = first end
  if last == first and low == first or last > first and sum_again(series, last) == 0 then high = last + 1 end
  if low < high then remove_range(series.sums, low, high) end
end

-- Remove points of a series. Returns how many; if none is left, user, device and token are appended to `dropped`.
local function erase(series, start, stop, here, dropped)
  if series.count == 0 or series.last < start or series.first >= stop then return 0 end
  if start <= series.first and series.last < stop then
    dropped[#dropped + 1] = series.user
    dropped[#dropped + 1] = series.device
    dropped[#dropped + 1] = pack('<d', series.epoch)
    local gone = drop(series.base, series.device, series.user, series.packed, here)
    forget_if_empty(series.base, series.device)
    return gone
  end
  local gone, points = remove_range(series.points, start, stop), series.points
  if gone == 0 then return 0 end
  erase_sums(series, start, stop)
  local begun = series.first
  series.count = series.count - gone
  series.first = unpack_from('<d', call('GETRANGE', block_key(points, '0'), 0, 7))
  series.last = unpack_from('<d', call('GETRANGE', block_key(points, decimal(points.bound)), -points.kind.width, -1))
  if series.first ~= begun then note_first(series) end
  note_correction(series)
  save(series)
  return gone
end

command('datapoints_erase', REMOVES, function(keys, args)
  local base, here, start, stop = keys[1], args[1] == '1', tonumber(args[2]), tonumber(args[3])
  local gone, dropped = 0, {}
  for i = 4, #args, 2 do
    local device, users = args[i], {args[i + 1]}
    if users[1] == '' then users = call('HKEYS', device_key(base, device)) end
    for _, user in ipairs(users) do
      gone = gone + erase(stored_series(base, device, user), start, stop, here, dropped)
    end
  end
  if gone > 0 then count_points(base, -gone, 0) end
  return {gone, dropped}
end)
