--- The parts of a call that adds: the points for each series.
--- @include series

-- Return the parts in the arguments from `from` on: device, user, token, points and sums of each series.
local function parts_of(base, args, from)
  local parts = {}
  for i = from, #args, 5 do
    local series = stored_series(base, args[i], args[i + 1])
    parts[#parts + 1] = {
      series = series, token = args[i + 2], points = args[i + 3], sums = args[i + 4], found = 0, again = {},
    }
  end
  return parts
end

-- Return about how many blocks a quarter-hour of a series has, from the one block that is given.
local function blocks_of_quarter(series, block)
  local span = key_of(block, POINTS, #block / POINTS.width - 1) - key_of(block, POINTS, 0)
  return min(QUARTER_HOUR / max(span, 1), series.points.blocks)
end

-- Return the points that are stored already, as pairs of the place of a part and a row of its points, both from 0; and,
-- if late points make more than LATE_RUNS runs, the pair at which the search stopped. Each part keeps what
-- `merge` makes of the blocks and its late points, so `merged` makes those to store; the number of points that are
-- stored already; whether any is another than the one stored; and their quarter-hours. With `replace`, the blocks of
-- these count as runs, too.
local function duplicates(parts, merge, replace)
  local found, runs = {}, 0
  for number, part in ipairs(parts) do
    local series, points = part.series, part.points
    if series.count > 0 and key_of(points, POINTS, 0) <= series.last then
      local late, place = {}, number - 1
      local stopped = each_block(
        series.points,
        slice(points, POINTS, 0, first_from(points, POINTS, series.last + 1, 0)),
        function(bound, rows, first)
          if runs >= LATE_RUNS then return true end
          local block = call('GET', block_key(series.points, bound))
          local grown, more = merge(block, rows, POINTS, function(stored, row, at)
            found[#found + 1] = place
            found[#found + 1] = first + at
            part.found = part.found + 1
            part.changed = part.changed or row ~= stored
            local number = floor(key_of(row, POINTS, 0) / QUARTER_HOUR)
            if replace and not part.again[number] then runs = runs + blocks_of_quarter(series, block) end
            part.again[number] = true
            return row
          end)
          late[#late + 1] = bound
          late[#late + 1] = grown
          runs = runs + more
        end
      )
      if stopped then return found, {place, stopped} end
      part.late = late
    end
  end
  return found, {}
end

-- Return how many new points and series the first `number` parts bring.
local function brought(parts, number)
  local points, series = 0, 0
  for i = 1, number do
    local part = parts[i]
    points = points + #part.points / POINTS.width - part.found
    if part.series.count == 0 then series = series + 1 end
  end
  return points, series
end
