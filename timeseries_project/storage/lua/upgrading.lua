--- Steps from one layout of a stripe to the next, done in portions.
--
-- Where a step goes on is written in the same call as what it has done. So it may be cut off after any call, and any
-- number of processes may call at once: each call does the next portion, whoever did the one before.
--- @include builtins
--- @include layout_version

-- Do the next portion towards this library's layout, if the stripe's is an earlier one. Returns the stripe's layout
-- then. `steps[n]` leads from n to n + 1: it is given the beginning of the stripe's keys, up to their tag, and the
-- cursor ('' at first), works for some milliseconds at most, and returns the next cursor, or nil when nothing is left
-- to do. A cursor must outlast a restart of the server, as those of SCAN do not; what was done may also tell it.
local function upgrade(key, steps)
  local found, place = layout_of(key)
  local under_way, cursor = found:match('^(%d+)>%d+ ?(.*)$')
  local from = tonumber(under_way or found)
  if from >= tonumber(LAYOUT) then
    if not under_way then call('SETNX', place, found) end
    return found
  end
  local following = steps[from](sub(key, 1, find(key, '}', 1, true)), cursor or '')
  local to = format('%.0f', from + 1)
  if following then to = format('%.0f>%s %s', from, to, following) end
  call('SET', place, to)
  return to
end
