--- Drops some of what lies before a time, of those devices that have had something to drop for longest.
--
-- KEYS    1 registry, 2 stale, 3 entries: of all devices
-- ARGV    the oldest second that is kept
-- Answer  OK
-- Cost    O(leaves dropped), of DROPPED_DEVICES devices and under DROPPED_NODES nodes of each at most
--- @include command
--- @include device
--- @include registry

-- The way down to the first node of level 1: number and bytes of the node at each level, and the first instant after
-- that node.
local function first_path(device)
  local path, id, stop = {}, 0, math.huge
  for level = device.head.depth, 1, -1 do
    local node = read_node(device, id)
    path[level] = {id = id, node = node}
    if level > 1 and #node > INNER.width then stop = key_of(node, INNER, 1) end
    id = row(node, INNER, 1)[7]
  end
  return path, stop
end

-- Drop the leaves under the first node of level 1 that lie wholly before a time, and whatever nodes are empty then. The
-- device's last instant is not before it.
local function drop_leaves(device, oldest)
  local head = device.head
  local path, stop = first_path(device)
  -- All before the leaf that the time falls into; that one too if it falls behind the node.
  local node = path[1].node
  local gone = rows_until(node, INNER, oldest, 0)
  if stop > oldest then gone = gone - 1 end
  local dropped, first = row(node, INNER, gone), nil
  for i = 1, gone do forget_node(device, row(node, INNER, i)[7]) end
  for level = 1, head.depth do
    local packed, step = {}, path[level]
    for i = gone + 1, #step.node / INNER.width do
      local sums = row(step.node, INNER, i)
      first = first or sums[1]
      local time = #packed == 0 and first or sums[1]
      packed[#packed + 1] = packed_row(INNER, minus(sums, dropped, time, sums[7]))
    end
    if #packed == 0 then
      forget_node(device, step.id)
      gone = 1
    else
      write_node(device, step.id, concat(packed))
      gone = 0
    end
  end
  head.first, head.sums = first, minus(head.sums, dropped)
  while head.depth > 0 and #read_node(device, 0) == INNER.width do
    -- A root above one node only: that one takes its place.
    local child = row(read_node(device, 0), INNER, 1)[7]
    write_node(device, 0, read_node(device, child))
    forget_node(device, child)
    head.depth = head.depth - 1
  end
end

-- Drop from a device, as it will be written. Returns it, and how many entries less it has.
local function drop(key, oldest)
  local device = open_device(key)
  local before, steps = device.head.sums[2], 0
  device.all = device.head.last < oldest
  while not device.all and device.head.stale <= oldest and steps < DROPPED_NODES do
    drop_leaves(device, oldest)
    device.head.stale, steps = stale_time(device), steps + 1
  end
  return device, before - (device.all and 0 or device.head.sums[2])
end

command('bandwidth_drop', REMOVES, function(keys, args)
  local registry, stale, entries = unpack(keys)
  local found = call('ZRANGEBYSCORE', stale, '-inf', args[1], 'LIMIT', 0, DROPPED_DEVICES)
  if #found == 0 then return 'OK' end
  check_registry(registry, stale, entries)
  local devices, oldest, all, less = {}, tonumber(args[1]), 0, 0
  for i, key in ipairs(found) do
    devices[i], less = drop(key, oldest)
    all = all + less
  end
  for _, device in ipairs(devices) do
    if device.all then remove(device.key, registry, stale) else save(device, registry, stale) end
  end
  count(entries, -all)
  return 'OK'
end)
