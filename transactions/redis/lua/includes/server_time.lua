--- The time by which a stripe goes.
--- @include builtins

-- The milliseconds that are given, or where that is '' those of this server's clock.
local function server_time(given)
  if given ~= '' then return tonumber(given) end
  local now = call('TIME')
  return now[1] * 1000 + floor(now[2] / 1000)
end
