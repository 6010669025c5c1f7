--- The counters of a base.
--- @include builtins

-- Add to the count of stored points, or subtract from it, and add to the count of points ever added.
local function count_points(base, stored, added)
  if stored ~= 0 then call('HINCRBY', base .. 'C', 'points', stored) end
  if added ~= 0 then call('HINCRBY', base .. 'C', 'added', added) end
end

-- Return the numbers of points and of series.
local function counted(base)
  return tonumber(call('HGET', base .. 'C', 'points') or 0), call('ZCARD', base .. 'F')
end
