--- What is counted under a base.
--- @include builtins

-- Count so many points more, or less, that are stored; and so many that were ever added.
local function count_points(base, stored, added)
  if stored ~= 0 then call('HINCRBY', base .. 'C', 'points', stored) end
  if added ~= 0 then call('HINCRBY', base .. 'C', 'added', added) end
end

-- How many points and series there are.
local function counted(base)
  return tonumber(call('HGET', base .. 'C', 'points') or 0), call('ZCARD', base .. 'F')
end
