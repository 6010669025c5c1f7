--- Reads rows of columns.
--
-- KEYS    base
-- ARGV    1  'p' for points, 's' for the sums of quarter-hours
--         2  the key before which to stop
--         3  the largest number of rows of each series; 0: all
--         4  the largest number of blocks of all series together; -1: all
--         5… device, user and start of each series
-- Answer  for each series {figures, blocks, the key at which to continue or ''}, '' as figures if it does not exist;
--         the answer ends early once there are enough blocks
-- Cost    O(series + blocks sent)
--- @include command
--- @include reading
--- @include series

command('datapoints_read', READS, function(keys, args)
  local stop, rows, left = tonumber(args[2]), tonumber(args[3]), tonumber(args[4])
  local answers = {}
  for i = 5, #args, 3 do
    if left == 0 then break end
    local series = stored_series(keys[1], args[i], args[i + 1])
    if series.count == 0 then
      answers[#answers + 1] = {'', {}, ''}
    else
      local column = args[1] == 'p' and series.points or series.sums
      local limit = rows > 0 and min(left, ceil(rows * column.kind.width / column.kind.block) + 1) or left
      local blocks, following, used = read_column(column, tonumber(args[i + 2]), stop, rows, limit)
      answers[#answers + 1] = {series.packed, blocks, following}
      if left > 0 then left = left - used end
    end
  end
  return answers
end)
