--- Reads the cells from which a stripe's summary is computed.
--
-- KEYS    the stripe
-- ARGV    1 now in ms, or '' for the server's clock
--         2 length of the window in ms
--         3 ms that the rings span
-- Answer  {now; all tops; the blocks, from the one that the window's start cuts to the end of its top; the points, from
--         the start to the end of that block: strings of cells, empty if the stripe has no values; the waiting rows of
--         that time}
-- Cost    O(1): some 75 cells are read; O(log rows) for each portion of rows that waits
--- @include command
--- @include server_time
--- @include waiting

command('transactions_summary', READS, function(keys, args)
  local key, now = keys[1], server_time(args[1])
  local start, ring = now - tonumber(args[2]), layout(tonumber(args[3]), 0)
  local block = floor(start / BLOCK_MS)
  return {
    now,
    read(key, 0, ring.blocks_at),
    read(key, ring.blocks_at + block % ring.blocks * CELL_SIZE, (BLOCKS - block % BLOCKS) * CELL_SIZE),
    read(key, ring.points_at + start % ring.span * CELL_SIZE, (POINTS - start % POINTS) * CELL_SIZE),
    waiting(key, start, (block + 1) * BLOCK_MS),
  }
end)
