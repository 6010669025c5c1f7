--- Reads the series of a device or user, all under one base, each with its first quarter-hours of a range.
--
-- KEYS    base
-- ARGV    1  'd' for a device, 'u' for a user, 2  its name
--         3  start and 4  stop of quarter-hours
--         5  the largest number of blocks to send
-- Answer  for each series {its other name, figures, blocks of sums, the quarter-hour at which to continue or ''}
-- Cost    O(series + blocks sent)
--- @include command
--- @include reading
--- @include series

command('datapoints_open', READS, function(keys, args)
  local base, by_device, key = keys[1], args[1] == 'd', args[2]
  local start, stop, left = tonumber(args[3]), tonumber(args[4]), tonumber(args[5])
  local answers = {}
  for _, other in ipairs(call('HKEYS', by_device and device_key(base, key) or user_key(base, key))) do
    local series = stored_series(base, by_device and key or other, by_device and other or key)
    if series.count > 0 then
      local blocks, following = {}, args[3]
      if series.first >= stop * QUARTER_HOUR or series.last < start * QUARTER_HOUR then
        following = ''
      elseif left > 0 then
        local used
        blocks, following, used = read_column(series.sums, start, stop, 0, left)
        left = left - used
      end
      answers[#answers + 1] = {other, series.packed, blocks, following}
    end
  end
  return answers
end)
