--- Nodes of a device's tree, as strings of rows.
--
-- A leaf has one row per instant; an inner node has one per child, with the child's first instant and number. Rows
-- ascend in time. Each holds the cumulative sums of its node, itself included, so the sum up to any time is one row of
-- each level, found by binary search. Rows are counted from 1 here (0 is before the first), while
-- rows.lua counts from 0.
--- @include builtins
--- @include rows
--- @include sums

local SUMS = 'I6I6I6I6I6'
-- Kinds of rows (see rows.lua), with the numbers in a row and the rows in a full node.
local LEAF = {key = '<I7', width = ROW_SIZE, format = '<I7' .. SUMS, numbers = 6, rows = LEAF_ROWS}
local INNER = {key = '<I7', width = ROW_SIZE + 4, format = '<I7' .. SUMS .. 'I4', numbers = 7, rows = INNER_ROWS}

-- The numbers of a node's i-th row; NOTHING for row 0.
local function row(node, kind, i)
  if i == 0 then return NOTHING end
  return {unpack_from(kind.format, node, (i - 1) * kind.width + 1)}
end

-- A row as bytes.
local function packed_row(kind, sums)
  return pack(kind.format, unpack(sums, 1, kind.numbers))
end

-- The i-th row as bytes, with the sums `by` added, and with another time if one is given.
local function shifted(node, kind, i, by, time)
  local own, entries, to, to_high, from, from_high, child = unpack_from(kind.format, node, (i - 1) * kind.width + 1)
  to, to_high, from, from_high = to + by[3], to_high + by[4], from + by[5], from_high + by[6]
  if to >= WORD then to, to_high = to - WORD, to_high + 1 end
  if from >= WORD then from, from_high = from - WORD, from_high + 1 end
  return pack(kind.format, time or own, entries + by[2], to, to_high, from, from_high, child)
end

-- How many rows of a node lie at or before a time; at least `least` do. O(log rows), O(1) if all of them do.
local function rows_until(node, kind, time, least)
  local all = #node / kind.width
  if least < all and key_of(node, kind, all - 1) <= time then return all end
  return first_from(node, kind, time + 1, least)
end

-- The rows `from` to `to` of a node as items: each with its own sums only.
local function singles(node, kind, from, to)
  local found, before = {}, row(node, kind, from - 1)
  for i = from, to do
    local sums = row(node, kind, i)
    found[#found + 1] = minus(sums, before, sums[1], sums[7])
    before = sums
  end
  return found
end
