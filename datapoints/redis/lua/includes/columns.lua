--- Columns: rows of one kind, in blocks.
--
-- `bound` is the bound of the last block, `rows` the number of its rows, `blocks` the number of blocks.
--- @include layout
--- @include merging
--- @include rows

-- It costs as much to read so many bounds at once as to look for one.
local BOUNDS_PER_ROW = 8

local function points_column(base, device, user, bound, rows, blocks)
  return {key = base .. 'p' .. device .. '\31' .. user, kind = POINTS, bound = bound, rows = rows, blocks = blocks}
end

local function sums_column(base, device, user, bound, rows, blocks)
  return {key = base .. 's' .. device .. '\31' .. user, kind = SUMS, bound = bound, rows = rows, blocks = blocks}
end

local function block_key(column, bound)
  return column.key .. '\31' .. bound
end

-- Write a new block; the bound of the first block is 0, the least possible key.
local function new_block(column, bound, rows)
  local name = decimal(bound)
  call('SET', block_key(column, name), rows)
  if column.blocks == 1 then call('ZADD', column.key, 0, '0') end
  if column.blocks > 0 then call('ZADD', column.key, name, name) end
  column.blocks = column.blocks + 1
  if bound >= column.bound then column.bound, column.rows = bound, #rows / column.kind.width end
end

-- Append rows whose keys are greater than all keys of the column. Loops over blocks, not over rows.
local function append(column, rows)
  local kind, done = column.kind, 0
  local length = kind.block
  if column.blocks > 0 then
    local key = block_key(column, decimal(column.bound))
    local room = length - column.rows * kind.width
    if room > 0 then
      local part = room < #rows and sub(rows, 1, room) or rows
      call('APPEND', key, part)
      column.rows = column.rows + #part / kind.width
      done = #part
    end
    if done == #rows then return end
    -- APPEND reserved room to grow in this block, which is full now: writing it anew releases the room.
    call('SET', key, call('GET', key))
  end
  while done < #rows do
    local part = sub(rows, done + 1, done + length)
    new_block(column, column.blocks == 0 and 0 or key_of(part, kind, 0), part)
    done = done + #part
  end
end

-- Return the bound of the block to which a key belongs, and the bound of the next block, if there is one.
local function bounds_around(column, key)
  if key >= column.bound then return decimal(column.bound) end
  local bound = call('ZREVRANGEBYSCORE', column.key, decimal(key), '-inf', 'LIMIT', 0, 1)[1]
  return bound, call('ZRANGEBYSCORE', column.key, '(' .. bound, '+inf', 'LIMIT', 0, 1)[1]
end

-- Return a function that does the same for keys that ascend from `first` to `last`, from bounds that are read at once.
local function ascending(column, first, last)
  local bounds, at = call('ZRANGEBYSCORE', column.key, (bounds_around(column, first)), decimal(last)), 1
  return function(_, key)
    while bounds[at + 1] and tonumber(bounds[at + 1]) <= key do at = at + 1 end
    return bounds[at], bounds[at + 1]
  end
end

-- Call `visit` for each block to which rows belong, with its bound, those rows, and the number of the first of them.
-- If `visit` returns true, stop and return that number.
local function each_block(column, rows, visit)
  local kind, row = column.kind, 0
  local all, around = #rows / kind.width, bounds_around
  if all > 1 and column.blocks < min(all, LATE_RUNS) * BOUNDS_PER_ROW then
    local first, last = key_of(rows, kind, 0), key_of(rows, kind, all - 1)
    if first < column.bound then around = ascending(column, first, last) end
  end
  while row < all do
    local bound, beyond = around(column, key_of(rows, kind, row))
    local past = beyond and first_from(rows, kind, tonumber(beyond), row) or all
    if visit(bound, slice(rows, kind, row, past), row) then return row end
    row = past
  end
end

-- Write a block that has grown, divided into several if it is too long.
local function write_block(column, bound, block)
  local kind = column.kind
  local all = #block / kind.width
  local parts = #block > 2 * kind.block and floor(#block / kind.block + 0.5) or 1
  local size = ceil(all / parts)
  local first = parts == 1 and block or slice(block, kind, 0, size)
  call('SET', block_key(column, bound), first)
  if tonumber(bound) == column.bound then column.rows = #first / kind.width end
  for row = size, all - 1, size do
    new_block(column, key_of(block, kind, row), slice(block, kind, row, row + size))
  end
end

-- Add rows of sums to those of a block that lie where they do if no quarter-hour is missing before them: in place, so
-- the block is not read, copied and written. Return the rows of other quarter-hours.
local function add_in_place(key, rows)
  local begin = unpack_from('<d', call('GETRANGE', key, 0, 7))
  local others = {}
  for row = 0, #rows / SUMS.width - 1 do
    local one, number = slice(rows, SUMS, row, row + 1), key_of(rows, SUMS, row)
    local at = (number - begin) * SUMS.width
    local stored = at >= 0 and call('GETRANGE', key, at, at + SUMS.width - 1) or ''
    if #stored > 0 and key_of(stored, SUMS, 0) == number then
      call('SETRANGE', key, at, combined(stored, one))
    else
      others[#others + 1] = one
    end
  end
  return concat(others)
end

-- Add rows. Those with keys up to `last`, the greatest key of the column, go to the blocks where they belong; `late`
-- are these blocks, already merged, if known: pairs of bound and block.
local function insert(column, last, rows, late)
  local kind = column.kind
  local before = first_from(rows, kind, last + 1, 0)
  if late then
    for i = 1, #late, 2 do write_block(column, late[i], late[i + 1]) end
  elseif before == 1 and kind == SUMS and key_of(rows, kind, 0) == last then
    -- The most frequent case: the current quarter-hour.
    local key, at = block_key(column, decimal(column.bound)), (column.rows - 1) * kind.width
    call('SETRANGE', key, at, combined(call('GETRANGE', key, at, -1), slice(rows, kind, 0, 1)))
  elseif before > 0 then
    each_block(column, slice(rows, kind, 0, before), function(bound, part)
      local key = block_key(column, bound)
      local others = kind == SUMS and add_in_place(key, part) or part
      if #others > 0 then write_block(column, bound, merged(call('GET', key), others, kind, combined)) end
    end)
  end
  if before * kind.width < #rows then append(column, slice(rows, kind, before, #rows / kind.width)) end
end
