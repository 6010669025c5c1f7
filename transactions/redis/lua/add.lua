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
--         8 rows in a portion; if there are more, they wait to be added to the points
-- Answer  {values that were young enough, or -1 if the latest lies too far ahead; now; portions
--         that wait, for as many calls of transactions_settle}
-- Cost    O(rows); a row alone: four cells are read and written
--- @include command
--- @include server_time
--- @include waiting

command('transactions_add', WRITES, function(keys, args)
  local key, now = keys[1], server_time(args[1])
  local oldest, latest = now - tonumber(args[2]), tonumber(args[6])
  if latest and latest > now + tonumber(args[3]) then return {-1, now, 0} end
  local ring, rows, portion = layout(tonumber(args[4]), tonumber(args[5])), args[7], tonumber(args[8])
  local first = first_from(rows, ROWS, oldest, 0)
  local accepted = add_rows(key, ring, rows, first, add_to_top)
  if #rows / ROWS.width - first > portion then
    return {accepted, now, let_wait(key, ring, rows, first, portion)}
  end
  add_rows(key, ring, rows, first, add_to_points)
  return {accepted, now, 0}
end)
