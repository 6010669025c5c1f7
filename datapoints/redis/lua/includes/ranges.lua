--- Removal of the rows of a column in a range of keys; some other rows must be left.
--- @include reading
--- @include removal

-- Take neighbouring blocks out of a column. If they are the first ones, the next block takes over their bound.
local function remove_blocks(column, bounds)
  local keys = {}
  for i, bound in ipairs(bounds) do keys[i] = block_key(column, bound) end
  unlink(keys)
  if bounds[1] == '0' then
    local following = call('ZRANGE', column.key, #bounds, #bounds)[1]
    call('RENAME', block_key(column, following), block_key(column, '0'))
    call('ZREMRANGEBYRANK', column.key, 1, #bounds)
  else
    call('ZREMRANGEBYSCORE', column.key, bounds[1], bounds[#bounds])
  end
  column.blocks = column.blocks - #bounds
end

-- Join neighbouring blocks around a key that fill half a block at most, so that few rows never keep many blocks.
local function join_around(column, key)
  local bounds = call('ZREVRANGEBYSCORE', column.key, decimal(key), '-inf', 'LIMIT', 0, 2)
  bounds[1], bounds[2] = bounds[2] or bounds[1], bounds[2] and bounds[1]
  for _, bound in ipairs(call('ZRANGEBYSCORE', column.key, '(' .. decimal(key), '+inf', 'LIMIT', 0, 2)) do
    bounds[#bounds + 1] = bound
  end
  local before = call('GET', block_key(column, bounds[1]))
  for i = 2, #bounds do
    local block = call('GET', block_key(column, bounds[i]))
    if 2 * (#before + #block) <= column.kind.block then
      before = before .. block
      call('UNLINK', block_key(column, bounds[i]))
      call('ZREM', column.key, bounds[i])
      column.blocks = column.blocks - 1
      bounds[i] = bounds[i - 1]
      call('SET', block_key(column, bounds[i]), before)
    else
      before = block
    end
  end
end

-- Remove the rows with start <= key < stop. Returns how many there were.
local function remove_range(column, start, stop)
  local kind, gone, empty = column.kind, 0, {}
  local bounds = bounds_in(column, start, stop, -1)
  for i, bound in ipairs(bounds) do
    local key = block_key(column, bound)
    if i > 1 and i < #bounds then
      gone = gone + call('STRLEN', key) / kind.width
      empty[#empty + 1] = bound
    else
      local block = call('GET', key)
      local all, from = #block / kind.width, first_from(block, kind, start, 0)
      local past = first_from(block, kind, stop, from)
      gone = gone + past - from
      if past - from == all then
        empty[#empty + 1] = bound
      elseif past > from then
        call('SET', key, slice(block, kind, 0, from) .. slice(block, kind, past, all))
      end
    end
  end
  if gone == 0 then return 0 end
  if #empty > 0 then remove_blocks(column, empty) end
  if column.blocks > 1 then join_around(column, start) end
  local last = call('ZRANGE', column.key, -1, -1)[1] or '0'
  if column.blocks == 1 then
    call('UNLINK', column.key)
    last = '0'
  end
  column.bound, column.rows = tonumber(last), call('STRLEN', block_key(column, last)) / kind.width
  return gone
end
