--- Adding rows to a stripe. A row is what is added to one millisecond: the time, and a cell.
--- @include builtins
--- @include cells
--- @include numbered
--- @include ring
--- @include rows

local TIME_SIZE = 8
local ROWS = {key = '<d', width = TIME_SIZE + CELL_SIZE}

-- Where a row's cell begins in the rows. Rows are counted from 1, like their times.
local function cell_at(row)
  return (row - 1) * ROWS.width + TIME_SIZE + 1
end

local function packed(cell)
  return pack(CELL, cell.high, cell.low, cell.count, cell.least, cell.most)
end

-- Open the top of that number to be added to. If it was empty its blocks are blanked, and the string lives on until
-- all that may still come into this top has left the window and the history.
local function open_top(key, ring, number)
  local top = open_numbered(key, number % ring.tops * TOP_SIZE, number)
  if top.count == 0 then
    if call('STRLEN', key) == 0 then call('SETRANGE', key, ring.size - 1, '\0') end
    call('SETRANGE', key, ring.blocks_at + number * BLOCKS % ring.blocks * CELL_SIZE, rep('\0', BLOCKS * CELL_SIZE))
    call('PEXPIRE', key, ring.life)
  end
  return top
end

-- Open a block, by number, to add to it.
local function open_block(key, ring, number)
  local at = ring.blocks_at + number % ring.blocks * CELL_SIZE
  return cell_of(at, unpack_from(CELL, read(key, at, CELL_SIZE)))
end

-- The bytes of a point after a row is added to it: those of the row's own cell if the point was empty.
local function point_with(points, at, rows, row)
  local cell = cell_of(at, unpack_from(CELL, points, at))
  local from = cell_at(row)
  if cell.count == 0 then return sub(rows, from, from + CELL_SIZE - 1) end
  add_cell(cell, unpack_from(CELL, rows, from))
  return packed(cell)
end

-- Add the rows `first` to `last`, all of one block, to its points. These are read and written in one piece. If the
-- block was empty, its points mean nothing, so all of them are written and none is read.
local function add_to_points(key, ring, rows, times, first, last, empty)
  local from, to = times[first], times[last]
  if empty then
    from = from - from % BLOCK_MS
    to = from + BLOCK_MS - 1
  end
  local at, size = ring.points_at + from % ring.span * CELL_SIZE, (to - from + 1) * CELL_SIZE
  local points = empty and rep('\0', size) or read(key, at, size)
  local pieces, done = {}, 0
  for row = first, last do
    local place = (times[row] - from) * CELL_SIZE
    if place > done then pieces[#pieces + 1] = sub(points, done + 1, place) end
    pieces[#pieces + 1] = point_with(points, place + 1, rows, row)
    done = place + CELL_SIZE
  end
  pieces[#pieces + 1] = sub(points, done + 1)
  call('SETRANGE', key, at, concat(pieces))
end

-- Add the rows from `row` on that lie in the same top; return the next row, and how many values were added.
local function add_to_top(key, ring, rows, times, row)
  local number, added, second = floor(times[row] / TOP_MS), 0, nil
  local top = open_top(key, ring, number)
  local stop = (number + 1) * TOP_MS
  while row <= #times and times[row] < stop do
    local block_number, first = floor(times[row] / BLOCK_MS), row
    local second_number = floor(times[row] / SECOND_MS)
    if not second or second.number ~= second_number then
      if second then write_numbered(key, second) end
      second = open_second(key, ring, second_number)
    end
    local block = open_block(key, ring, block_number)
    local more, block_stop = cell_of(nil, 0, 0, 0, 0, 0), (block_number + 1) * BLOCK_MS
    while row <= #times and times[row] < block_stop do
      add_cell(more, unpack_from(CELL, rows, cell_at(row)))
      row = row + 1
    end
    add_to_points(key, ring, rows, times, first, row - 1, block.count == 0)
    for _, cell in ipairs{block, second, top} do
      add_cell(cell, more.high, more.low, more.count, more.least, more.most)
    end
    call('SETRANGE', key, block.at, packed(block))
    added = added + more.count
  end
  write_numbered(key, second)
  write_numbered(key, top)
  return row, added
end
