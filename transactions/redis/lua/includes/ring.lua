--- The layout of a stripe: one string of fixed size with the rings of three widths, one after the other.
--
--     tops     2 s, six doubles each: a cell, and the top's number
--     blocks   40 ms, cells of five doubles: high and low part of the sum, count, least, most
--     points   1 ms, the same
--
-- Cell n of a width covers the times from n * width to just before (n + 1) * width; its place in the ring is n modulo
-- the ring's length. A top with another number there, or with count 0, is empty. The blocks under an empty top, and the
-- points under an empty block, may still be from an earlier turn of the ring; they are blanked when the cell above is
-- first used. Times are milliseconds. All doubles are little-endian.
--- @include builtins

-- How many blocks a top has, and how many points a block.
local BLOCKS, POINTS = TOP_MS / BLOCK_MS, BLOCK_MS
local CELL, CELL_SIZE = '<ddddd', 40
local TOP_CELL, TOP_SIZE = '<dddddd', 48

-- Where the rings lie in the string if they span `span` milliseconds.
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
