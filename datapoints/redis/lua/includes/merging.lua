--- Merging of rows.
--- @include add_to_sum
--- @include layout
--- @include rows

-- Return the sum of two rows of sums of the same quarter-hour.
local function combined(one, other)
  local number, count, high, low, error = unpack_from('<ddddd', one)
  local _, more, other_high, other_low, other_error = unpack_from('<ddddd', other)
  return pack('<ddddd', number, count + more, add_sums(high, low, error, other_high, other_low, other_error))
end

-- Call `equal` as `merged` does, and return nothing but the number of runs.
local function matched(block, rows, kind, equal)
  local at, row, runs = 0, 0, 0
  local stored, new = #block / kind.width, #rows / kind.width
  while row < new do
    local key = key_of(rows, kind, row)
    at = first_from(block, kind, key, at)
    local beyond = at < stored and key_of(block, kind, at)
    if beyond == key then
      equal(slice(block, kind, at, at + 1), slice(rows, kind, row, row + 1), row)
      at, row = at + 1, row + 1
    else
      row = beyond and row + 1 < new and first_from(rows, kind, beyond, row + 1) or new
    end
    runs = runs + 1
  end
  return nil, runs
end

-- Merge new rows into those of a block. Where both have the same key, `equal` returns the resulting row from the stored
-- row, the new row and the number of the new row. Also return the number of runs: rows that all lie between the same
-- two stored ones are copied as a whole, which costs O(log rows).
local function merged(block, rows, kind, equal)
  local pieces, at, row, runs = {}, 0, 0, 0
  local stored, new = #block / kind.width, #rows / kind.width
  while row < new do
    local key = key_of(rows, kind, row)
    local found = first_from(block, kind, key, at)
    pieces[#pieces + 1] = slice(block, kind, at, found)
    at = found
    local beyond = at < stored and key_of(block, kind, at)
    if beyond == key then
      pieces[#pieces + 1] = equal(slice(block, kind, at, at + 1), slice(rows, kind, row, row + 1), row)
      at, row = at + 1, row + 1
    else
      local past = beyond and row + 1 < new and first_from(rows, kind, beyond, row + 1) or new
      pieces[#pieces + 1] = slice(rows, kind, row, past)
      row = past
    end
    runs = runs + 1
  end
  pieces[#pieces + 1] = slice(block, kind, at, stored)
  return concat(pieces), runs
end
