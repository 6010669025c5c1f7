--- Looks up the series of users whose entries and series are under one base.
--
-- KEYS    base
-- ARGV    the users
-- Answer  for each user a list of device, figures; '' as figures if the series does not exist
-- Cost    O(series)
--- @include command
--- @include layout

command('datapoints_look_through', READS, function(keys, args)
  local base, answers = keys[1], {}
  for i, user in ipairs(args) do
    local answer = call('HKEYS', user_key(base, user))
    for at = #answer, 1, -1 do
      local device = answer[at]
      answer[2 * at] = call('HGET', device_key(base, device), user) or ''
      answer[2 * at - 1] = device
    end
    answers[i] = answer
  end
  return answers
end)
