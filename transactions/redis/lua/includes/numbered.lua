--- Cells that have a number, tops and seconds: which cell of its width each stands for.
--- @include builtins
--- @include cells
--- @include ring

-- Open the numbered cell at a place, to be added to; it is empty if it stands for another number.
local function open_numbered(key, at, number)
  local bytes, cell = read(key, at, TOP_SIZE), cell_of(at, 0, 0, 0, 0, 0)
  if bytes ~= '' then
    local high, low, count, least, most, stands_for = unpack_from(TOP_CELL, bytes)
    if stands_for == number then cell = cell_of(at, high, low, count, least, most) end
  end
  cell.number = number
  return cell
end

local function write_numbered(key, cell)
  call('SETRANGE', key, cell.at, pack(TOP_CELL, cell.high, cell.low, cell.count, cell.least, cell.most, cell.number))
end

local function open_second(key, ring, number)
  return open_numbered(key, ring.seconds_at + number % ring.seconds * TOP_SIZE, number)
end
