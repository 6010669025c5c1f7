--- Rows that count already and wait to be added to the points: portions of rows, in a list beside the ring.
--- @include adding

-- Let the rows from `row` on wait, for as long as one of them may be in the window, in portions of so many; return how
-- many portions they are.
local function let_wait(key, ring, rows, row, portion)
  local list, stop, portions = list_of(key), #rows / ROWS.width, 0
  for from = row, stop - 1, portion do
    call('RPUSH', list, slice(rows, ROWS, from, min(from + portion, stop)))
    portions = portions + 1
  end
  call('PEXPIRE', list, ring.span)
  return portions
end

-- The waiting rows from a time on, and before another.
local function waiting(key, from, to)
  local found = call('LRANGE', list_of(key), 0, -1)
  for i, rows in ipairs(found) do
    found[i] = slice(rows, ROWS, first_from(rows, ROWS, from, 0), first_from(rows, ROWS, to, 0))
  end
  return concat(found)
end
