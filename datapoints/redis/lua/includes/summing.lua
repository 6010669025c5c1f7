--- Sums of quarter-hours made anew from their points, after some of these were removed or replaced.
--- @include reading
--- @include series

-- Return how many points of a series a quarter-hour has, and its row of sums.
local function sum_of_quarter(series, number)
  local start, stop = number * QUARTER_HOUR, (number + 1) * QUARTER_HOUR
  local count, high, low, error = 0, 0, 0, 0
  for _, bound in ipairs(bounds_in(series.points, start, stop, -1)) do
    local block = call('GET', block_key(series.points, bound))
    local from = first_from(block, POINTS, start, 0)
    local past = first_from(block, POINTS, stop, from)
    for row = from, past - 1 do
      high, low, error = add_to_sum(high, low, error, (unpack_from('<d', block, row * POINTS.width + 9)))
    end
    count = count + past - from
  end
  return count, pack('<ddddd', number, count, high, low, error)
end

-- Sum up the points of a quarter-hour anew; if there are any, it has sums already. Returns how many there are.
local function sum_again(series, number)
  local count, sums = sum_of_quarter(series, number)
  if count > 0 then
    local key = block_key(series.sums, (bounds_around(series.sums, number)))
    call('SETRANGE', key, first_from(call('GET', key), SUMS, number, 0) * SUMS.width, sums)
  end
  return count
end
