--- Adding rows to a stripe. A row is what is added to one millisecond: the time, and a cell.
--
-- Rows are added to tops, blocks and seconds at once: that is when they count. To the points, of which a summary reads
-- those of a single block, a large batch is added afterwards, in portions; until then it waits: see waiting.lua.
--- @include builtins
--- @include cells
--- @include numbered
--- @include ring
--- @include rows

local ROW, ROWS = '<dddddd', {key = '<d', width = 48}

local zeros = {}

-- A number of empty cells; the strings are kept, for to make one costs more than to write it.
local function empty_cells(count)
  local found = zeros[count]
  if not found then
    found = rep('\0', count * CELL_SIZE)
    zeros[count] = found
  end
  return found
end

-- The time of a row, and its cell.
local function row_of(rows, row)
  return unpack_from(ROW, rows, row * ROWS.width + 1)
end

-- The number of the cell of a width into which a row falls.
local function number_of(rows, row, width)
  return floor(key_of(rows, ROWS, row) / width)
end

-- What the rows from `row` on, before row `stop` and before a time, have together; and the row after them.
local function together(rows, row, stop, before)
  local time, high, low, count, least, most = row_of(rows, row)
  local cell = cell_of(nil, high, low, count, least, most)
  for following = row + 1, stop - 1 do
    time, high, low, count, least, most = row_of(rows, following)
    if time >= before then return cell, following end
    add_cell(cell, high, low, count, least, most)
  end
  return cell, stop
end

-- Open the top of that number to be added to. If it was empty its blocks are blanked, and the string lives on until
-- all that may still come into this top has left the window and the history.
local function open_top(key, ring, number)
  local top = open_numbered(key, number % ring.tops * TOP_SIZE, number)
  if top.count == 0 then
    if call('STRLEN', key) == 0 then call('SETRANGE', key, ring.size - 1, '\0') end
    call('SETRANGE', key, ring.blocks_at + number * BLOCKS % ring.blocks * CELL_SIZE, empty_cells(BLOCKS))
    call('PEXPIRE', key, ring.life)
  end
  return top
end

-- Add the rows from `row` to before `stop`, all of one top, to it, its blocks and its seconds; return how many values
-- they are. The blocks are read and written in one piece. If one was empty, its points are blanked.
local function add_to_top(key, ring, rows, row, stop)
  local first, last = number_of(rows, row, BLOCK_MS), number_of(rows, stop - 1, BLOCK_MS)
  local top, second = open_top(key, ring, floor(first / BLOCKS)), nil
  local before, at = top.count, ring.blocks_at + first % ring.blocks * CELL_SIZE
  local blocks, pieces, done = read(key, at, (last - first + 1) * CELL_SIZE), {}, 0
  local number, more = first, nil
  repeat
    local second_number = floor(number * BLOCK_MS / SECOND_MS)
    if not second or second.number ~= second_number then
      if second then write_numbered(key, second) end
      second = open_second(key, ring, second_number)
    end
    local place = (number - first) * CELL_SIZE
    local block = cell_of(place, unpack_from(CELL, blocks, place + 1))
    if block.count == 0 then
      call('SETRANGE', key, ring.points_at + number * POINTS % ring.span * CELL_SIZE, empty_cells(POINTS))
    end
    more, row = together(rows, row, stop, (number + 1) * BLOCK_MS)
    for _, cell in ipairs{block, second, top} do
      add_cell(cell, more.high, more.low, more.count, more.least, more.most)
    end
    if place > done then pieces[#pieces + 1] = sub(blocks, done + 1, place) end
    pieces[#pieces + 1] = pack(CELL, block.high, block.low, block.count, block.least, block.most)
    done = place + CELL_SIZE
    if row < stop then number = number_of(rows, row, BLOCK_MS) end
  until row == stop
  call('SETRANGE', key, at, concat(pieces))
  write_numbered(key, second)
  write_numbered(key, top)
  return top.count - before
end

-- The rows from `row` on, before row `stop`, of which each is at most a block after the one before it: the row after
-- them, and the times of the first and the last.
local function run_of(rows, row, stop)
  local from = key_of(rows, ROWS, row)
  local to = from
  for following = row + 1, stop - 1 do
    local time = key_of(rows, ROWS, following)
    if time - to > BLOCK_MS then return following, from, to end
    to = time
  end
  return stop, from, to
end

-- Add the rows from `row` to before `stop`, all of one top, to its points. Those of rows that are close together are
-- read and written in one piece.
local function add_to_points(key, ring, rows, row, stop)
  while row < stop do
    local after, from, to = run_of(rows, row, stop)
    local at = ring.points_at + from % ring.span * CELL_SIZE
    local points, pieces, done = read(key, at, (to - from + 1) * CELL_SIZE), {}, 0
    for each = row, after - 1 do
      local time, high, low, count, least, most = row_of(rows, each)
      local place = (time - from) * CELL_SIZE
      local cell = cell_of(place, unpack_from(CELL, points, place + 1))
      add_cell(cell, high, low, count, least, most)
      if place > done then pieces[#pieces + 1] = sub(points, done + 1, place) end
      pieces[#pieces + 1] = pack(CELL, cell.high, cell.low, cell.count, cell.least, cell.most)
      done = place + CELL_SIZE
    end
    call('SETRANGE', key, at, concat(pieces))
    row = after
  end
end

-- Add the rows from `row` on by a function like those above, top by top; return the sum of what it returns.
local function add_rows(key, ring, rows, row, add)
  local stop, sum = #rows / ROWS.width, 0
  while row < stop do
    local after = first_from(rows, ROWS, (number_of(rows, row, TOP_MS) + 1) * TOP_MS, row + 1)
    sum = sum + (add(key, ring, rows, row, after) or 0)
    row = after
  end
  return sum
end
