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

-- Call `visit` for each run of new rows: rows that all lie between the same two rows of the block, or one whose key the
-- block has. It gets the places in the block after the run before it and before this one, the run's first row, the row
-- after its last, and whether the block has its key. Returns the number of runs and the place after the last. Each run
-- costs O(log rows).
local function each_run(block, rows, kind, visit)
  local at, row, runs = 0, 0, 0
  local stored, new = #block / kind.width, #rows / kind.width
  while row < new do
    local key = key_of(rows, kind, row)
    local found = first_from(block, kind, key, at)
    local beyond = found < stored and key_of(block, kind, found)
    local both, past = beyond == key, row + 1
    if not both and past < new then past = beyond and first_from(rows, kind, beyond, past) or new end
    visit(at, found, row, past, both)
    at, row, runs = both and found + 1 or found, past, runs + 1
  end
  return runs, at
end

-- Merge new rows into those of a block; also return the number of runs. Where both have the same key, `equal` returns
-- the resulting row from the stored row, the new row and the number of the new row. Runs are copied as a whole.
local function merged(block, rows, kind, equal)
  local pieces = {}
  local runs, at = each_run(block, rows, kind, function(from, found, row, past, both)
    local new = slice(rows, kind, row, past)
    pieces[#pieces + 1] = slice(block, kind, from, found)
    pieces[#pieces + 1] = both and equal(slice(block, kind, found, found + 1), new, row) or new
  end)
  pieces[#pieces + 1] = slice(block, kind, at, #block / kind.width)
  return concat(pieces), runs
end

-- Call `equal` as `merged` does, and return nothing but the number of runs.
local function matched(block, rows, kind, equal)
  local runs = each_run(block, rows, kind, function(_, found, row, past, both)
    if both then equal(slice(block, kind, found, found + 1), slice(rows, kind, row, past), row) end
  end)
  return nil, runs
end
