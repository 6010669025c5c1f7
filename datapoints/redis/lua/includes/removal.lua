--- Removal of columns or of their first rows.
--- @include columns

-- Remove any number of keys.
local function unlink(keys)
  for i = 1, #keys, UNLINKED_KEYS do
    call('UNLINK', unpack(keys, i, min(i + UNLINKED_KEYS - 1, #keys)))
  end
end

-- Remove the first block and those with the given bounds except the last, whose block becomes the first, with bound 0.
-- Returns how many rows were removed.
local function remove_first(column, bounds)
  local last, rows, keys = bounds[#bounds], 0, {block_key(column, '0')}
  for i = 1, #bounds - 1 do keys[i + 1] = block_key(column, bounds[i]) end
  for _, key in ipairs(keys) do rows = rows + call('STRLEN', key) / column.kind.width end
  unlink(keys)
  call('RENAME', block_key(column, last), block_key(column, '0'))
  call('ZREMRANGEBYSCORE', column.key, '(0', last)
  column.blocks = column.blocks - #bounds
  if column.blocks == 1 then
    call('UNLINK', column.key)
    column.bound = 0
  end
  return rows
end

-- Remove the rows before a key, which must not lie beyond the last row. Returns how many were removed.
local function cut_column(column, key)
  local gone, kind = 0, column.kind
  local bounds = column.blocks > 1 and call('ZRANGEBYSCORE', column.key, '(0', decimal(key)) or {}
  if #bounds > 0 then gone = remove_first(column, bounds) end
  local block = call('GET', block_key(column, '0'))
  local row, all = first_from(block, kind, key, 0), #block / kind.width
  if row == all then return gone + remove_first(column, call('ZRANGE', column.key, 1, 1)) end
  if row > 0 then
    call('SET', block_key(column, '0'), slice(block, kind, row, all))
    if column.blocks == 1 then column.rows = all - row end
  end
  return gone + row
end

local function remove_column(column)
  if column.blocks == 1 then
    call('UNLINK', block_key(column, '0'))
    return
  end
  local keys = {column.key}
  for _, bound in ipairs(call('ZRANGE', column.key, 0, -1)) do keys[#keys + 1] = block_key(column, bound) end
  unlink(keys)
end
