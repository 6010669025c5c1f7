--- The layout of a stripe: one string of fixed size, the rings of three widths one after the other.
--
--     tops     2 s, six doubles each: a cell and the number of the 2 s that it stands for
--     blocks   40 ms, cells of five doubles: high and low part of the sum, count, least, most
--     points   1 ms, the same
--
-- Cell n of a width covers the times from n * width on, and its place in the ring is n modulo the ring's length. A top
-- whose number is another one, or whose count is 0, is empty. Under an empty top the blocks, and under an empty block
-- the points, may still show an earlier turn of the ring; they are blanked when the cell above is first used. Times are
-- milliseconds. All doubles are little-endian.
--- @include builtins

-- How many cells of the next width a cell is divided into.
local BLOCKS, POINTS = TOP_MS / BLOCK_MS, BLOCK_MS
local CELL, CELL_SIZE = '<ddddd', 40
local TOP_CELL, TOP_SIZE = '<dddddd', 48

-- Where the rings lie in the string if they span so many milliseconds.
local function layout(span)
  local tops, blocks = span / TOP_MS, span / BLOCK_MS
  local blocks_at = tops * TOP_SIZE
  local points_at = blocks_at + blocks * CELL_SIZE
  return {
    tops = tops, blocks = blocks, span = span,
    blocks_at = blocks_at, points_at = points_at, size = points_at + span * CELL_SIZE,
  }
end

local function read(key, from, size)
  return call('GETRANGE', key, from, from + size - 1)
end
