--- Looks into hashes of devices or of users.
--
-- KEYS    base
-- ARGV    1  'd' for devices, 'u' for users
--         2… a device and a user, or a user and a device; '' as second for all that there are
-- Answer  for each a list of second, value: figures and marks of a device's series, tokens of a user's entries; '' as
--         value where there is none
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
