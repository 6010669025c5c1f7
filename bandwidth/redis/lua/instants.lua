--- Reads what devices hold instant by instant.
--
-- KEYS    the devices
-- ARGV    1  the time before which to stop
--         2  the largest number of instants of all devices together
--         3… for each device the time at which to start
-- Answer  for each device its leaves, each as a row before those that are asked for, of zeros if it has none, and
--         these rows, whose sums include those of that one; the answer ends early once there are enough instants
-- Cost    O(log n + leaves sent) for each device
--- @include command
--- @include device

local NO_ROW = ('\0'):rep(ROW_SIZE)

-- Append the rows with start <= time < stop that are under a node, up to `left` of them, leaf by leaf. Returns how many
-- more may come.
local function read_leaves(key, level, node, start, stop, left, leaves)
  if level == 0 then
    local from = rows_until(node, LEAF, start - 1, 0)
    local to = min(rows_until(node, LEAF, stop - 1, from), from + left)
    if to == from then return left end
    leaves[#leaves + 1] = from == 0 and NO_ROW .. slice(node, LEAF, 0, to) or slice(node, LEAF, from - 1, to)
    return left - (to - from)
  end
  for i = max(rows_until(node, INNER, start, 0), 1), #node / INNER.width do
    if left == 0 or key_of(node, INNER, i - 1) >= stop then break end
    left = read_leaves(key, level - 1, call('HGET', key, row(node, INNER, i)[7]), start, stop, left, leaves)
  end
  return left
end

command('bandwidth_instants', READS, function(keys, args)
  local stop, left, answers = tonumber(args[1]), tonumber(args[2]), {}
  for i, key in ipairs(keys) do
    if left == 0 then break end
    local head, root = read_head(key)
    answers[i] = {}
    if head then left = read_leaves(key, head.depth, root, tonumber(args[2 + i]), stop, left, answers[i]) end
  end
  return answers
end)
