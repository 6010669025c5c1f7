--- Deletion of whole series.
--- @include index
--- @include removal
--- @include series

-- Delete a series; `here` says that the user's entry is under the same base. Returns how many points it had.
local function drop(base, device, user, packed, here)
  call('HDEL', device_key(base, device), user)
  if not exists(packed) then return 0 end
  local series = series_of(base, device, user, packed)
  remove_column(series.points)
  remove_column(series.sums)
  call('ZREM', base .. 'F', device .. '\31' .. user)
  if here then leave(base, user, device, pack('<d', series.epoch)) end
  return series.count
end

-- Delete all series of a device. Returns how many points they had.
local function drop_device(base, device, here)
  local count = 0
  local fields = call('HGETALL', device_key(base, device))
  for i = 1, #fields, 2 do count = count + drop(base, device, fields[i], fields[i + 1], here) end
  forget_if_empty(base, device)
  return count
end
