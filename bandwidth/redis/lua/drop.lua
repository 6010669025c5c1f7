--- Drops some of the entries before a time, from the devices that have had entries to drop for longest.
--
-- KEYS    1 registry, 2 stale, 3 entries: of all devices
-- ARGV    the oldest second that is kept
-- Answer  OK
-- Cost    O(leaves dropped), at most those under DROPPED_NODES nodes of each of DROPPED_DEVICES devices
--- @include command
--- @include device
--- @include registry

-- The path down to the first node of level 1: number and bytes of the node at each level. Also returns the first
-- instant after that node.
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

-- Drop those leaves under the first node of level 1 that lie wholly before a time, then all nodes left empty. The
-- device's last instant must not be before that time.
local function drop_leaves(device, oldest)
  local head = device.head
  local path, stop = first_path(device)
  -- All leaves before the one that the time falls into; also that one if the time is beyond the node.
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
    -- A root with a single child is replaced by the child.
    local child = row(read_node(device, 0), INNER, 1)[7]
    write_node(device, 0, read_node(device, child))
    forget_node(device, child)
    head.depth = head.depth - 1
  end
end

-- Drop entries from a device, without writing it yet. Returns the device and the number of entries dropped.
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
