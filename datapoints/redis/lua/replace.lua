--- Adds points to series under one base, and writes over those that are stored already: all of them, or none.
--
-- KEYS    base
-- ARGV    as for add
-- Answer  as for add, but points that were stored already do not prevent it: {those, {}, '', {}, points stored, series
--         stored} if it was done
-- Cost    O(points in order + blocks of late ones and of the quarter-hours of those written over)
--- @include adding
--- @include command

command('datapoints_replace', WRITES, function(keys, args) return add_parts(keys[1], args, true) end)
