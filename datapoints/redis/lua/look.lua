--- Reads hashes of devices or of users.
--
-- KEYS    base
-- ARGV    1  'd' for devices, 'u' for users
--         2… pairs of a device and a user, or of a user and a device; '' as the second for all of them
-- Answer  for each pair a list of second, value: figures and marks of a device's series, or tokens of a user's
--         entries; '' as value if there is none
-- Cost    O(values)
--- @include command

command('datapoints_look', READS, function(keys, args)
  local answers = {}
  for i = 2, #args, 2 do
    local key, field = keys[1] .. args[1] .. args[i], args[i + 1]
    answers[#answers + 1] = field == '' and call('HGETALL', key) or {field, call('HGET', key, field) or ''}
  end
  return answers
end)
