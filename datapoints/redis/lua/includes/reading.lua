--- Reading of columns in whole blocks.
--- @include columns

-- Return the bounds of up to `limit` blocks that may hold keys with start <= key < stop; -1: of all of them.
local function bounds_in(column, start, stop, limit)
  if column.blocks == 1 or start >= column.bound then return {decimal(column.bound)} end
  local first = call('ZREVRANGEBYSCORE', column.key, decimal(start), '-inf', 'LIMIT', 0, 1)[1]
  local bounds = call('ZRANGEBYSCORE', column.key, first, '(' .. decimal(stop), 'LIMIT', 0, limit)
  return #bounds > 0 and bounds or {first}
end

-- Return blocks of a column from `start` on, the key at which to continue if there are more rows before `stop`, else
-- '', and the number of blocks read. Blocks are whole if `rows` is 0; otherwise there are at most `rows` rows, all of
-- them from `start` on.
local function read_column(column, start, stop, rows, limit)
  local bounds = bounds_in(column, start, stop, limit < 0 and -1 or limit + 1)
  local used = limit < 0 and #bounds or min(#bounds, limit)
  local blocks, kind = {}, column.kind
  for i = 1, used do
    local block = call('GET', block_key(column, bounds[i]))
    if rows > 0 then
      local all, from = #block / kind.width, i == 1 and first_from(block, kind, start, 0) or 0
      if from + rows < all then
        blocks[i] = slice(block, kind, from, from + rows)
        return blocks, decimal(key_of(block, kind, from + rows)), i
      end
      blocks[i] = slice(block, kind, from, all)
      rows = rows - (all - from)
      if rows == 0 then return blocks, bounds[i + 1] or '', i end
    else
      blocks[i] = block
    end
  end
  return blocks, bounds[used + 1] or '', used
end
