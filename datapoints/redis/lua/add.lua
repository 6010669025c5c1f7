--- Adds points to series under one base: all of them, or none.
--
-- KEYS    base
-- ARGV    1  a new epoch: 8 bytes, the token of series that this call creates
--         2  '1' if the entries of users are under the same base, else '0'
--         3  the largest number of points under the base, 4  of series
--         5… device, user, token, points, sums of each series; points and sums are rows, see layout.lua
-- Answer  {duplicates, the row at which the search for them stopped, the limit that would be exceeded: 'points',
--         'series' or '', marks: pairs of place and token, points stored, series stored}. Points were added only if
--         the first four are empty. See parts.lua for the first two, and docs/storage.md for marks.
-- Cost    O(points in order + blocks of late ones)
--- @include command
--- @include counters
--- @include index
--- @include parts

-- Prepare to create series whose users' entries are under other bases. Each gets a mark with a token that its entry
-- must carry. Only a call with that token may create the series, and a delete removes the mark: so no series is
-- created whose entry a delete has already read and may remove. Returns pairs of place and token.
local function marks(parts, epoch)
  local missing = {}
  for number, part in ipairs(parts) do
    local series = part.series
    if series.count == 0 and series.packed ~= part.token then
      if not series.packed then
        series.packed = epoch
        call('HSET', device_key(series.base, series.device), series.user, epoch)
        call('SADD', series.base .. 'D', series.device)
      end
      missing[#missing + 1] = number - 1
      missing[#missing + 1] = series.packed
    end
  end
  return missing
end

-- Add points that the series lacks, and the sums of their quarter-hours; `late` as for insert.
local function grow(series, points, sums, late)
  local count = #points / POINTS.width
  local first, last = key_of(points, POINTS, 0), key_of(points, POINTS, count - 1)
  local begun = series.first
  if series.count == 0 then
    series.first, series.last = first, last
    append(series.points, points)
    append(series.sums, sums)
  else
    insert(series.points, series.last, points, late)
    insert(series.sums, floor(series.last / QUARTER_HOUR), sums)
    if first < series.last then series.late = series.late + 1 end
    series.first, series.last = min(first, series.first), max(last, series.last)
  end
  series.count = series.count + count
  if series.first ~= begun then note_first(series) end
  save(series)
end

command('datapoints_add', WRITES, function(keys, args)
  local base, epoch, here = keys[1], args[1], args[2] == '1'
  local parts = parts_of(base, args, 5)
  local found, stopped = duplicates(parts)
  local points, series = counted(base)
  if #found > 0 or #stopped > 0 then return {found, stopped, '', {}, points, series} end
  local more_points, more_series = brought(parts, #parts)
  if points + more_points > tonumber(args[3]) then return {{}, {}, 'points', {}, points, series} end
  if more_series > 0 and series + more_series > tonumber(args[4]) then
    return {{}, {}, 'series', {}, points, series}
  end
  if not here then
    local missing = marks(parts, epoch)
    if #missing > 0 then return {{}, {}, '', missing, points, series} end
  end
  for _, part in ipairs(parts) do
    local one = part.series
    if one.count == 0 then
      one.epoch = unpack_from('<d', here and epoch or part.token)
      if here then
        enter(base, one.user, one.device, epoch)
        call('SADD', base .. 'D', one.device)
      end
    end
    grow(one, part.points, part.sums, part.late)
  end
  count_points(base, more_points, more_points)
  return {{}, {}, '', {}, points + more_points, series + more_series}
end)
