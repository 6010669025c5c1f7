--- Cells, and adding to them.
--- @include add_to_pair

-- A cell as a table; `at` is where it lies in the string. An empty cell has count 0.
local function cell_of(at, high, low, count, least, most)
  return {at = at, high = high, low = low, count = count, least = least, most = most}
end

-- Add another cell's content to a cell. A low part of 0 is skipped, because adding it changes nothing.
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
