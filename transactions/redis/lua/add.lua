--- Adds values to a stripe, except those that are too old; adds none if one is too far ahead.
--
-- KEYS    the stripe
-- ARGV    1 now in ms, or '' for the server's clock
--         2 length of the window in ms
--         3 ms that a value may be ahead of now
--         4 ms that the rings span
--         5 seconds that the ring of the seconds spans
--         6 the latest time, or '' if it has been judged before
--         7 rows in order of time: for each millisecond its time and the cell that is added to it
-- Answer  {values that were young enough, or -1 if the latest lies too far ahead; now}
-- Cost    O(rows); a row alone: four cells are read and written
--- @include adding
--- @include command
--- @include server_time

command('transactions_add', WRITES, function(keys, args)
  local now = server_time(args[1])
  local oldest, latest = now - tonumber(args[2]), tonumber(args[6])
  if latest and latest > now + tonumber(args[3]) then return {-1, now} end
  local ring, rows, times = layout(tonumber(args[4]), tonumber(args[5])), args[7], {}
  for row = 0, #rows / ROWS.width - 1 do times[row + 1] = key_of(rows, ROWS, row) end
  local row, accepted, added = 1 + first_from(rows, ROWS, oldest, 0), 0, 0
  while row <= #times do
    row, added = add_to_top(keys[1], ring, rows, times, row)
    accepted = accepted + added
  end
  return {accepted, now}
end)
