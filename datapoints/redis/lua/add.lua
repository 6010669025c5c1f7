--- Adds points to series under one base: all of them, or none.
--
-- KEYS    base
-- ARGV    1  a new epoch: 8 bytes, the token of series that this call creates
--         2  '1' if the entries of users are under the same base, else '0'
--         3  the largest number of points under the base, 4  of series
--         5… device, user, token, points, sums of each series; points and sums are rows, see layout.lua
-- Answer  {duplicates, the row at which the search for them stopped, the limit that would be exceeded: 'points',
--         'series' or '', marks: pairs of place and token, points stored, series stored}. Points were added only if
--         the first four are empty. See parts.lua for the first two, and docs/storage.md for marks.
-- Cost    O(points in order + blocks of late ones)
--- @include adding
--- @include command

command('datapoints_add', WRITES, function(keys, args) return add_parts(keys[1], args, false) end)
