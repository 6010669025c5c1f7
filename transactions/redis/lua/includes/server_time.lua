--- The time that a stripe uses as now.
--- @include builtins

-- The milliseconds given, or this server's clock if '' is given.
local function server_time(given)
  if given ~= '' then return tonumber(given) end
  local now = call('TIME')
  return now[1] * 1000 + floor(now[2] / 1000)
end
