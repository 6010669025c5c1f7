--- Reads the seconds of a stripe.
--
-- KEYS    the stripe
-- ARGV    1 now in ms, or '' for the server's clock
--         2 ms that the rings span
--         3 seconds that the ring of the seconds spans
-- Answer  {now; all seconds}: a string of cells with their numbers, empty where the stripe has no values
-- Cost    O(1): the ring of the seconds is read, 30 KB
--- @include command
--- @include ring
--- @include server_time

command('transactions_history', READS, function(keys, args)
  local ring = layout(tonumber(args[2]), tonumber(args[3]))
  return {server_time(args[1]), read(keys[1], ring.seconds_at, ring.seconds * TOP_SIZE)}
end)
