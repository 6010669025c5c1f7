-- One stripe of the 60-second window: one string of fixed size, the rings of three widths one after the other.
--
--     tops     2 s, six doubles each: a cell and the number of the 2 s that it stands for
--     blocks   40 ms, cells of five doubles: high and low part of the sum, count, least, most
--     points   1 ms, the same
--
-- The cell n of a width covers the times from n * width on, and its place in the ring is n modulo the ring's length.
-- A top whose number is another one, or whose count is 0, is empty. Under an empty top the blocks, and under an empty
-- block the points, may still show an earlier turn of the ring; they are blanked when the cell above is first used.
-- Times are milliseconds. All doubles are little-endian.

local TOP, BLOCK = 2000, 40
local BLOCKS, POINTS = TOP / BLOCK, BLOCK -- how many cells of the next width a cell is divided into
local CELL, CELL_SIZE = '<ddddd', 40
local TOP_CELL, TOP_SIZE = '<dddddd', 48
local TIME, TIME_SIZE = '<d', 8
local ROW_SIZE = TIME_SIZE + CELL_SIZE

-- The whole number at or below; Redis gives no library to what is outside of functions.
local function floor(x)
  return x - x % 1
end

-- Where things lie in the string of a ring that spans so many milliseconds.
local function layout(span)
  local tops, blocks = span / TOP, span / BLOCK
  local blocks_at = tops * TOP_SIZE
  local points_at = blocks_at + blocks * CELL_SIZE
  return {
    tops = tops, blocks = blocks, span = span,
    blocks_at = blocks_at, points_at = points_at, size = points_at + span * CELL_SIZE,
  }
end

-- The time that is given, or else this server's.
local function time(given)
  if given ~= '' then
    return tonumber(given)
  end
  local now = redis.call('TIME')
  return now[1] * 1000 + floor(now[2] / 1000)
end

local function read(key, from, size)
  return redis.call('GETRANGE', key, from, from + size - 1)
end

-- A cell in use, as it is being added to; `at` is where it lies. An empty one counts 0.
local function cell_of(at, high, low, count, least, most)
  return { at = at, high = high, low = low, count = count, least = least, most = most }
end

-- Add a double to a sum of two parts; return the new parts. `add_to_pair` of summation.py.
local function add_to_pair(high, low, x)
  local s = high + x
  local t = s - high
  local v = low + ((high - (s - t)) + (x - t))
  local total = s + v
  return total, v - (total - s)
end

-- Add to a cell what is in another one. To add a low part of 0 would round nothing.
local function add_cell(cell, high, low, count, least, most)
  if cell.count == 0 then
    cell.high, cell.low, cell.count, cell.least, cell.most = high, low, count, least, most
    return
  end
  cell.high, cell.low = add_to_pair(cell.high, cell.low, high)
  if low ~= 0 then
    cell.high, cell.low = add_to_pair(cell.high, cell.low, low)
  end
  cell.count = cell.count + count
  if least < cell.least then cell.least = least end
  if most > cell.most then cell.most = most end
end

local function write(key, cell)
  redis.call('SETRANGE', key, cell.at,
    struct.pack(CELL, cell.high, cell.low, cell.count, cell.least, cell.most))
end

local function write_top(key, cell)
  redis.call('SETRANGE', key, cell.at,
    struct.pack(TOP_CELL, cell.high, cell.low, cell.count, cell.least, cell.most, cell.number))
end

-- Open the top of that number to be added to. If it was empty its blocks are blanked, and the string lives on until
-- all that may still come into this top has left the window.
local function open_top(key, ring, number)
  local at = number % ring.tops * TOP_SIZE
  local bytes = read(key, at, TOP_SIZE)
  if bytes == '' then
    redis.call('SETRANGE', key, ring.size - 1, '\0')
    bytes = string.rep('\0', TOP_SIZE)
  end
  local high, low, count, least, most, stands_for = struct.unpack(TOP_CELL, bytes)
  local cell = cell_of(at, high, low, count, least, most)
  if count == 0 or stands_for ~= number then
    cell = cell_of(at, 0, 0, 0, 0, 0)
    redis.call('SETRANGE', key, ring.blocks_at + number * BLOCKS % ring.blocks * CELL_SIZE,
      string.rep('\0', BLOCKS * CELL_SIZE))
    redis.call('PEXPIRE', key, ring.span)
  end
  cell.number = number
  return cell
end

-- Open the block of that number to be added to.
local function open_block(key, ring, number)
  local at = ring.blocks_at + number % ring.blocks * CELL_SIZE
  return cell_of(at, struct.unpack(CELL, read(key, at, CELL_SIZE)))
end

-- What a point is when a row is added to it: the bytes of the row's cell itself if the point was empty.
local function point_with(points, at, rows, row_at)
  local cell = cell_of(at, struct.unpack(CELL, points, at))
  if cell.count == 0 then
    return rows:sub(row_at + TIME_SIZE, row_at + ROW_SIZE - 1)
  end
  add_cell(cell, struct.unpack(CELL, rows, row_at + TIME_SIZE))
  return struct.pack(CELL, cell.high, cell.low, cell.count, cell.least, cell.most)
end

-- Add the rows from one to another, all of one block, to its points: they are read and written in one piece, which is
-- the whole block if it was empty, for then its points mean nothing.
local function add_to_points(key, ring, rows, times, first, last, empty)
  local from, to = times[first], times[last]
  if empty then
    from = from - from % BLOCK
    to = from + BLOCK - 1
  end
  local at, size = ring.points_at + from % ring.span * CELL_SIZE, (to - from + 1) * CELL_SIZE
  local points = empty and string.rep('\0', size) or read(key, at, size)
  local pieces, done = {}, 0
  for i = first, last do
    local place = (times[i] - from) * CELL_SIZE
    if place > done then
      pieces[#pieces + 1] = points:sub(done + 1, place)
    end
    pieces[#pieces + 1] = point_with(points, place + 1, rows, (i - 1) * ROW_SIZE + 1)
    done = place + CELL_SIZE
  end
  pieces[#pieces + 1] = points:sub(done + 1)
  redis.call('SETRANGE', key, at, table.concat(pieces))
end

-- Add the rows from `first` on that lie in one top; return the first that does not, and how many values were added.
local function add_to_top(key, ring, rows, times, first)
  local number, added, i = floor(times[first] / TOP), 0, first
  local top = open_top(key, ring, number)
  local stop = (number + 1) * TOP
  while i <= #times and times[i] < stop do
    local block_number, block_first = floor(times[i] / BLOCK), i
    local block = open_block(key, ring, block_number)
    local more, block_stop = cell_of(nil, 0, 0, 0, 0, 0), (block_number + 1) * BLOCK
    while i <= #times and times[i] < block_stop do
      add_cell(more, struct.unpack(CELL, rows, (i - 1) * ROW_SIZE + 1 + TIME_SIZE))
      i = i + 1
    end
    add_to_points(key, ring, rows, times, block_first, i - 1, block.count == 0)
    for _, cell in ipairs({ block, top }) do
      add_cell(cell, more.high, more.low, more.count, more.least, more.most)
    end
    write(key, block)
    added = added + more.count
  end
  write_top(key, top)
  return i, added
end

-- Add rows, in order of time, each what is to be added to one millisecond: its time, and a cell. Nothing is added if
-- `latest`, which may be empty, lies too far ahead of now; of what is older than `length` nothing is.
-- arguments: now or '', length, ahead, span, latest or '', rows
-- answers: how many values were young enough, -1 if `latest` is refused; and now
local function add(keys, arguments)
  local now = time(arguments[1])
  local oldest, latest = now - tonumber(arguments[2]), tonumber(arguments[5])
  if latest and latest > now + tonumber(arguments[3]) then
    return { -1, now }
  end
  local ring, rows, times = layout(tonumber(arguments[4])), arguments[6], {}
  for at = 1, #rows, ROW_SIZE do
    times[#times + 1] = struct.unpack(TIME, rows, at)
  end
  local i, accepted, added = 1, 0, 0
  while i <= #times and times[i] < oldest do
    i = i + 1
  end
  while i <= #times do
    i, added = add_to_top(keys[1], ring, rows, times, i)
    accepted = accepted + added
  end
  return { accepted, now }
end

-- Read all that a summary needs.
-- arguments: now or '', length, span
-- answers: now, all tops; of the top that the window's start cuts the blocks from the start's on; of that block the
-- points from the start on
local function summary(keys, arguments)
  local key, now = keys[1], time(arguments[1])
  local start, ring = now - tonumber(arguments[2]), layout(tonumber(arguments[3]))
  local block = floor(start / BLOCK)
  return {
    now,
    read(key, 0, ring.blocks_at),
    read(key, ring.blocks_at + block % ring.blocks * CELL_SIZE, (BLOCKS - block % BLOCKS) * CELL_SIZE),
    read(key, ring.points_at + start % ring.span * CELL_SIZE, (POINTS - start % POINTS) * CELL_SIZE),
  }
end

-- Forget a stripe.
local function clear(keys)
  return redis.call('UNLINK', keys[1])
end

redis.register_function{ function_name = 'transactions_add' .. version, callback = add }
redis.register_function{
  function_name = 'transactions_summary' .. version, callback = summary, flags = { 'no-writes' },
}
-- Also when the memory is full, for it makes room.
redis.register_function{ function_name = 'transactions_clear' .. version, callback = clear, flags = { 'allow-oom' } }
