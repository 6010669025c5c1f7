--- Adds rows to devices: all of them, or none.
--
-- KEYS    1 registry, 2 stale, 3 entries: of all devices
--         4… the devices
-- ARGV    1 the oldest second that is kept: what is before it is left out
--         2 entries, 3 devices that there may be, 4 rows that may come late
--         5… the rows of each device: a time and its own sums, as in a leaf, ascending
-- Answer  OK, or what there would be too many of: 'late', 'entries' or 'devices'
-- Cost    O(nodes that the rows belong to); a row in time: one node of each level
--- @include adding
--- @include command

command('bandwidth_add', WRITES, function(keys, args)
  return add_rows(keys, 1, args, 1)
end)
