--- Adding of points to series under one base, which `add` and `replace` have in common.
--- @include counters
--- @include index
--- @include parts
--- @include summing

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

-- Add the points of a part to its series; those that it has already take their place.
local function grow(part, sums)
  local series, points = part.series, part.points
  local first, last = key_of(points, POINTS, 0), key_of(points, POINTS, #points / POINTS.width - 1)
  local begun = series.first
  if series.count == 0 then
    series.first, series.last = first, last
    append(series.points, points)
    append(series.sums, sums)
  else
    insert(series.points, series.last, points, part.late)
    insert(series.sums, floor(series.last / QUARTER_HOUR), sums)
    if first < series.last then series.late = series.late + 1 end
    series.first, series.last = min(first, series.first), max(last, series.last)
  end
  series.count = series.count + #points / POINTS.width - part.found
  if series.first ~= begun then note_first(series) end
  if part.changed then note_correction(series) end
  save(series)
end

-- Add the points of a part of which some are stored already, and sum up their quarter-hours anew.
local function write_over(part)
  if part.found == #part.points / POINTS.width and not part.changed then return end
  local others = {}
  for row = 0, #part.sums / SUMS.width - 1 do
    if not part.again[key_of(part.sums, SUMS, row)] then
      others[#others + 1] = slice(part.sums, SUMS, row, row + 1)
    end
  end
  grow(part, concat(others))
  for number in pairs(part.again) do sum_again(part.series, number) end
end

-- Add points: all of them, or none. See add.lua for the arguments and the answer, and replace.lua.
local function add_parts(base, args, replace)
  local epoch, here = args[1], args[2] == '1'
  local parts = parts_of(base, args, 5)
  local found, stopped = duplicates(parts, merged, replace)
  local points, series = counted(base)
  if #stopped > 0 or #found > 0 and not replace then return {found, stopped, '', {}, points, series} end
  local more_points, more_series = brought(parts, #parts)
  if more_points > 0 and points + more_points > tonumber(args[3]) then return {{}, {}, 'points', {}, points, series} end
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
    if part.found > 0 then write_over(part) else grow(part, part.sums) end
  end
  count_points(base, more_points, more_points)
  return {found, {}, '', {}, points + more_points, series + more_series}
end
