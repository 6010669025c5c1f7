--- Deletes series.
--
-- KEYS    base
-- ARGV    1  '1' if the entries of users are under the same base, else '0'
--         2… device and user of each series; '' as user: all series of the device
-- Answer  how many points they had
-- Cost    O(series and their blocks)
--- @include command
--- @include counters
--- @include dropping

command('datapoints_delete', REMOVES, function(keys, args)
  local base, here, count = keys[1], args[1] == '1', 0
  for i = 2, #args, 2 do
    local device, user = args[i], args[i + 1]
    if user == '' then
      count = count + drop_device(base, device, here)
    else
      count = count + drop(base, device, user, call('HGET', device_key(base, device), user), here)
      forget_if_empty(base, device)
    end
  end
  count_points(base, -count, 0)
  return count
end)
