--- Adds rows to devices: all of them, or none.
--
-- KEYS    1 registry, 2 stale, 3 entries: of all devices
--         4 to 6 the spans that begin with the previous slot, the present one and the next
--         7… the devices
-- ARGV    1 the oldest second that is kept; rows before it are left out
--         2 entries and 3 devices that may be stored, 4 late rows that one call may have
--         5 the number of the first of these spans
--         6… for each device its rows, ascending: a time and its own sums, packed as in a leaf
-- Answer  OK, or the limit that would be exceeded: 'late', 'entries' or 'devices'
-- Cost    O(nodes that the rows fall into); a row that is not late: one node of each level
--- @include adding
--- @include command

command('bandwidth_add', WRITES, function(keys, args)
  return add_rows(keys, 1, args, 1)
end)
