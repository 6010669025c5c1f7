--- Removes the marks of series that will not be created.
--
-- KEYS    base
-- ARGV    device, user, token of each series
-- Answer  for each series 1 if its mark was still there, else 0
-- Cost    O(series)
--- @include command
--- @include index

command('datapoints_unmark', REMOVES, function(keys, args)
  local base, answers = keys[1], {}
  for i = 1, #args, 3 do
    local key = device_key(base, args[i])
    local there = call('HGET', key, args[i + 1]) == args[i + 2]
    if there then
      call('HDEL', key, args[i + 1])
      forget_if_empty(base, args[i])
    end
    answers[#answers + 1] = there and 1 or 0
  end
  return answers
end)
