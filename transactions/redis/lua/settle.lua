--- Adds a portion of the rows that wait to the points of a stripe.
--
-- KEYS    the stripe
-- ARGV    1 ms that the rings span
--         2 seconds that the ring of the seconds spans
-- Answer  portions that are left
-- Cost    O(rows in a portion), some milliseconds
--- @include command
--- @include waiting

-- Add rows of one top to its points, unless the ring has turned: then its cells stand for another time.
local function add_if_current(key, ring, rows, row, stop)
  local number = number_of(rows, row, TOP_MS)
  local top = open_numbered(key, number % ring.tops * TOP_SIZE, number)
  if top.count > 0 then add_to_points(key, ring, rows, row, stop) end
end

command('transactions_settle', REMOVES, function(keys, args)
  local key, ring = keys[1], layout(tonumber(args[1]), tonumber(args[2]))
  local list = list_of(key)
  local rows = call('LPOP', list)
  if not rows then return 0 end
  add_rows(key, ring, rows, 0, add_if_current)
  return call('LLEN', list)
end)
