--- Reads rows of columns backwards.
--
-- KEYS    base
-- ARGV    1  'p' for points, 's' for the sums of quarter-hours
--         2  the key at which to stop; rows before it may be sent too
--         3  the largest number of rows of each series
--         4  the largest number of blocks of all series together
--         5… device, user and, for each series, the key before which to start
-- Answer  for each series {figures, parts of blocks, the last one first, the key before which to continue or ''}, ''
--         as figures if it does not exist; the answer ends early once there are enough blocks
-- Cost    O(series + blocks sent)
--- @include command
--- @include series

-- Return up to `rows` rows of a column before the key `stop`, from up to `limit` blocks; the key before which to
-- continue if there may be more from `start` on, else ''; and the number of blocks read.
local function read_column_back(column, start, stop, rows, limit)
  local kind, parts = column.kind, {}
  local bounds = {decimal(column.bound)}
  if column.blocks > 1 then
    bounds = call('ZREVRANGEBYSCORE', column.key, '(' .. decimal(stop), '-inf', 'LIMIT', 0, limit + 1)
  end
  for i = 1, min(#bounds, limit) do
    local block = call('GET', block_key(column, bounds[i]))
    local past = i == 1 and first_from(block, kind, stop, 0) or #block / kind.width
    local from = max(past - rows, 0)
    parts[i] = slice(block, kind, from, past)
    rows = rows - (past - from)
    if past > from then stop = key_of(block, kind, from) end
    if stop <= start or from == 0 and not bounds[i + 1] then return parts, '', i end
    if rows == 0 then return parts, decimal(stop), i end
  end
  return parts, #bounds > 0 and decimal(stop) or '', min(#bounds, limit)
end

command('datapoints_read_back', READS, function(keys, args)
  local start, rows, left = tonumber(args[2]), tonumber(args[3]), tonumber(args[4])
  local answers = {}
  for i = 5, #args, 3 do
    if left == 0 then break end
    local series = stored_series(keys[1], args[i], args[i + 1])
    if series.count == 0 then
      answers[#answers + 1] = {'', {}, ''}
    else
      local column = args[1] == 'p' and series.points or series.sums
      local limit = min(left, ceil(rows * column.kind.width / column.kind.block) + 1)
      local parts, following, used = read_column_back(column, start, tonumber(args[i + 2]), rows, limit)
      answers[#answers + 1] = {series.packed, parts, following}
      left = left - used
    end
  end
  return answers
end)
