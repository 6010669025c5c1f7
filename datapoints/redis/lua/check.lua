--- Checks whether points could be added; adds nothing.
--
-- KEYS    base
-- ARGV    device, user, token, points, sums of each series, as for add
-- Answer  {duplicates, the row at which the search for them stopped, the number of new series before that, points
--         stored, series stored}
-- Cost    O(series + blocks of late points)
--- @include command
--- @include counters
--- @include parts

-- As if it wrote: so a server that would refuse the points, because its memory is full or it has too few replicas,
-- refuses this call already, before others add theirs.
command('datapoints_check', WRITES, function(keys, args)
  local parts = parts_of(keys[1], args, 1)
  local found, stopped = duplicates(parts, matched)
  local _, more = brought(parts, stopped[1] or #parts)
  return {found, stopped, more, counted(keys[1])}
end)
