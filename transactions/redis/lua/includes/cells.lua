--- Cells that are being added to.
--- @include add_to_pair

-- A cell in use; `at` is where it lies. An empty one counts 0.
local function cell_of(at, high, low, count, least, most)
  return {at = at, high = high, low = low, count = count, least = least, most = most}
end

-- Add to a cell what is in another one. A low part of 0 is left out: to add it would change nothing.
local function add_cell(cell, high, low, count, least, most)
  if cell.count == 0 then
    cell.high, cell.low, cell.count, cell.least, cell.most = high, low, count, least, most
    return
  end
  cell.high, cell.low = add_to_pair(cell.high, cell.low, high)
  if low ~= 0 then cell.high, cell.low = add_to_pair(cell.high, cell.low, low) end
  cell.count = cell.count + count
  if least < cell.least then cell.least = least end
  if most > cell.most then cell.most = most end
end
