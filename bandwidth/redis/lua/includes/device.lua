--- Devices: their summaries and their nodes, read and written.
--
-- A device is one hash. Its field `head` is its summary. The other fields are the nodes of a tree, by number; the
-- root is 0.
--- @include builtins
--- @include nodes

-- first, last, sums, depth, next and stale: see `read_head`.
local HEAD = '<I7I7' .. SUMS .. 'I1I4I7'

-- A device's summary and its root, or nil for a device never seen. `depth` is the level of the root, `next` the number
-- of the next new node. `stale` is the earliest time that has the whole first leaf before it: the first instant of the
-- second leaf, or one second after the last instant.
local function read_head(key)
  local bytes, root = unpack(call('HMGET', key, 'head', 0))
  if not bytes then return nil end
  local first, last, entries, to, to_high, from, from_high, depth, next, stale = unpack_from(HEAD, bytes)
  local sums = {0, entries, to, to_high, from, from_high}
  return {first = first, last = last, sums = sums, depth = depth, next = next, stale = stale}, root
end

-- A device that will be written: its key, its summary, its nodes by number as read or changed, which of them are
-- changed, and the numbers of those to delete.
local function open_device(key)
  local head, root = read_head(key)
  local new = not head
  head = head or {first = 2 ^ 53, last = -1, sums = NOTHING, depth = 0, next = 1, stale = 0}
  return {key = key, new = new, head = head, nodes = {[0] = root or ''}, changed = {}, gone = {}}
end

local function read_node(device, id)
  local node = device.nodes[id]
  if not node then
    node = call('HGET', device.key, id)
    device.nodes[id] = node
  end
  return node
end

local function write_node(device, id, bytes)
  device.nodes[id], device.changed[id] = bytes, true
end

local function forget_node(device, id)
  device.nodes[id], device.changed[id] = nil, nil
  device.gone[#device.gone + 1] = id
end

-- The device's `stale` time: see `read_head`.
local function stale_time(device)
  local id, time = 0, device.head.last + 1
  for _ = 1, device.head.depth do
    local node = read_node(device, id)
    if #node > INNER.width then time = key_of(node, INNER, 1) end
    id = row(node, INNER, 1)[7]
  end
  return time
end

-- Write what has changed, and the device's entries in the two sets of all devices. Nodes are written some hundreds at a
-- time, because a call takes only some thousand arguments.
local function save(device, registry, stale)
  local head, sums = device.head, device.head.sums
  local fields = {'head', pack(HEAD, head.first, head.last, sums[2], sums[3], sums[4], sums[5], sums[6],
    head.depth, head.next, head.stale)}
  for id in pairs(device.changed) do
    if #fields > 1000 then
      call('HSET', device.key, unpack(fields))
      fields = {}
    end
    fields[#fields + 1] = id
    fields[#fields + 1] = device.nodes[id]
  end
  call('HSET', device.key, unpack(fields))
  if #device.gone > 0 then call('HDEL', device.key, unpack(device.gone)) end
  if device.new then call('ZADD', registry, 0, device.key) end
  call('ZADD', stale, format('%.0f', head.stale), device.key)
end
