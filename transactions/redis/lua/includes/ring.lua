--- The layout of a stripe: one string of fixed size, rings one after the other.
--
--     tops     2 s, six doubles each: a cell, and the top's number
--     blocks   40 ms, cells of five doubles: high and low part of the sum, count, least, most
--     points   1 ms, the same
--     seconds  1 s, as the tops: the history, in a ring of its own length
--
-- Cell n of a width covers the times from n * width on, and its place in the ring is n modulo the ring's length. A top
-- whose number is another one, or whose count is 0, is empty. Under an empty top the blocks, and under an empty block
-- the points, may still show an earlier turn of the ring; they are blanked when the cell above is first used. A second
-- stands for itself. Times are milliseconds. All doubles are little-endian.
--
-- A list beside the string has the rows of large batches that wait to be added to the points; see waiting.lua.
--- @include builtins

-- How many blocks a top has, and how many points a block.
local BLOCKS, POINTS = TOP_MS / BLOCK_MS, BLOCK_MS
local CELL, CELL_SIZE = '<ddddd', 40
local TOP_CELL, TOP_SIZE = '<dddddd', 48

-- Where the rings lie in the string if they span so many milliseconds, and that of the seconds so many seconds;
-- `life` is how long the string lives on after its last top was begun.
local function layout(span, seconds)
  local tops, blocks = span / TOP_MS, span / BLOCK_MS
  local blocks_at = tops * TOP_SIZE
  local points_at = blocks_at + blocks * CELL_SIZE
  local seconds_at = points_at + span * CELL_SIZE
  return {
    tops = tops, blocks = blocks, span = span, seconds = seconds, life = seconds * SECOND_MS,
    blocks_at = blocks_at, points_at = points_at, seconds_at = seconds_at, size = seconds_at + seconds * TOP_SIZE,
  }
end

local function list_of(key)
  return key .. ':rows'
end

local function read(key, from, size)
  return call('GETRANGE', key, from, from + size - 1)
end
