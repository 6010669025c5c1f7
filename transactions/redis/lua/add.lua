--- Adds values to a stripe, except those that are too old; adds none if one is too far ahead.
--
-- KEYS    the stripe
-- ARGV    1 now in ms, or '' for the server's clock
--         2 length of the window in ms
--         3 ms that a value may be ahead of now
--         4 ms that the rings span
--         5 the latest time of the batch, or '' if an earlier call has judged it
--         6 rows in order of time, one per millisecond: the time, and the cell to add to it
-- Answer  {number of values that were young enough, or -1 if the latest is too far ahead; now}
-- Cost    O(rows); for a single row three cells are read and written
--- @include adding
--- @include command
--- @include server_time

command('transactions_add', WRITES, function(keys, args)
  local now = server_time(args[1])
  local oldest, latest = now - tonumber(args[2]), tonumber(args[5])
  if latest and latest > now + tonumber(args[3]) then return {-1, now} end
  local ring, rows, times = layout(tonumber(args[4])), args[6], {}
  for row = 0, #rows / ROWS.width - 1 do times[row + 1] = key_of(rows, ROWS, row) end
  local row, accepted, added = 1 + first_from(rows, ROWS, oldest, 0), 0, 0
  while row <= #times do
    row, added = add_to_top(keys[1], ring, rows, times, row)
    accepted = accepted + added
  end
  return {accepted, now}
end)
