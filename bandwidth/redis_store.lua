-- Bytes per device in windows: the server's side of bandwidth/redis_store.py, which tells the layout of the keys.
--
-- A device is one hash. Its field `head` is its summary. The other fields are the nodes of a tree, by number; the
-- root is 0. A leaf has a row per instant; a node above has a row per child, with the child's first instant and its
-- number. Rows ascend in time. Each holds the sums of all entries in its node up to and including it, so that the
-- sum up to any time is one row of each level, found by binary search.
--
-- Numbers of a row, and of sums in general: time; entries; bytes to the server, the low 48 bits and what is above;
-- bytes from the server, likewise; the child's number. A double holds each of them exactly.

local SUMS = 'I6I6I6I6I6'
local WORD = 2 ^ 48
-- A full node takes what the allocator gives anyway: 1,024 bytes, less a string's header. Each of them that is touched
-- is read and written whole, as a string of Lua, which costs by its length: larger ones were slower in all that adds.
local LEAF = {format = '<I7' .. SUMS, numbers = 6, width = 37, rows = 27}
local INNER = {format = '<I7' .. SUMS .. 'I4', numbers = 7, width = 41, rows = 24}
local HEAD = '<I7I7' .. SUMS .. 'I1I4I7'
local NOTHING = {0, 0, 0, 0, 0, 0}
-- What one call drops at most: of so many devices, so often what is under one node.
local DROPPED_DEVICES, DROPPED_NODES = 16, 8

-- The sums of a and b, under a time and a child's number.
local function plus(a, b, time, child)
  local to, to_high, from, from_high = a[3] + b[3], a[4] + b[4], a[5] + b[5], a[6] + b[6]
  if to >= WORD then
    to, to_high = to - WORD, to_high + 1
  end
  if from >= WORD then
    from, from_high = from - WORD, from_high + 1
  end
  return {time, a[2] + b[2], to, to_high, from, from_high, child}
end

-- The sums of a without those of b, which a contains, under a time and a child's number.
local function minus(a, b, time, child)
  local to, to_high, from, from_high = a[3] - b[3], a[4] - b[4], a[5] - b[5], a[6] - b[6]
  if to < 0 then
    to, to_high = to + WORD, to_high - 1
  end
  if from < 0 then
    from, from_high = from + WORD, from_high - 1
  end
  return {time, a[2] - b[2], to, to_high, from, from_high, child}
end

-- The summary of a device, or nil for one that was never seen; and its root. `depth` is the level of the root, `next`
-- the number of the next new node, `stale` the time from which on the first leaf lies wholly before it: the first
-- instant of the second leaf, or the one after the last.
local function read_head(key)
  local bytes, root = unpack(redis.call('HMGET', key, 'head', 0))
  if not bytes then
    return nil
  end
  local first, last, entries, to, to_high, from, from_high, depth, next, stale = struct.unpack(HEAD, bytes)
  local sums = {0, entries, to, to_high, from, from_high}
  return {first = first, last = last, sums = sums, depth = depth, next = next, stale = stale}, root
end

-- A device that will be written to: its key, its summary, nodes by number as they were read, or will be, and the
-- numbers of those that will be gone.
local function open_device(key)
  local head, root = read_head(key)
  local new = not head
  head = head or {first = 2 ^ 53, last = -1, sums = NOTHING, depth = 0, next = 1, stale = 0}
  return {key = key, new = new, head = head, nodes = {[0] = root or ''}, changed = {}, gone = {}}
end

local function read_node(device, id)
  local node = device.nodes[id]
  if not node then
    node = redis.call('HGET', device.key, id)
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

-- Write what has changed, some hundreds of nodes at a time, since a call takes some thousand arguments at most; and
-- what the sets of all devices say of this one.
local function save(device, registry, stale)
  local head, sums = device.head, device.head.sums
  local numbers = {head.first, head.last, sums[2], sums[3], sums[4], sums[5], sums[6], head.depth, head.next, head.stale}
  local fields = {'head', struct.pack(HEAD, unpack(numbers))}
  for id in pairs(device.changed) do
    if #fields > 1000 then
      redis.call('HSET', device.key, unpack(fields))
      fields = {}
    end
    fields[#fields + 1] = id
    fields[#fields + 1] = device.nodes[id]
  end
  redis.call('HSET', device.key, unpack(fields))
  if #device.gone > 0 then
    redis.call('HDEL', device.key, unpack(device.gone))
  end
  local bytes = (sums[4] + sums[6]) * WORD + (sums[3] + sums[5])
  redis.call('ZADD', registry, string.format('%.17g', bytes), device.key)
  redis.call('ZADD', stale, string.format('%.0f', head.stale), device.key)
end

-- Forget a device.
local function remove(key, registry, stale)
  redis.call('ZREM', registry, key)
  redis.call('ZREM', stale, key)
  redis.call('UNLINK', key)
end

-- Count so many entries more, or less. Nothing is left behind where nothing is stored.
local function count(entries, more)
  if more ~= 0 and redis.call('INCRBY', entries, string.format('%.0f', more)) == 0 then
    redis.call('DEL', entries)
  end
end

-- The numbers of a node's i-th row; NOTHING before the first.
local function row(node, kind, i)
  if i == 0 then
    return NOTHING
  end
  return {struct.unpack(kind.format, node, (i - 1) * kind.width + 1)}
end

local function time_of(node, kind, i)
  return (struct.unpack('<I7', node, (i - 1) * kind.width + 1))
end

-- The i-th row as bytes, with more sums, and under another time if one is given.
local function shifted(node, kind, i, by, time)
  local own, entries, to, to_high, from, from_high, child =
    struct.unpack(kind.format, node, (i - 1) * kind.width + 1)
  to, to_high, from, from_high = to + by[3], to_high + by[4], from + by[5], from_high + by[6]
  if to >= WORD then
    to, to_high = to - WORD, to_high + 1
  end
  if from >= WORD then
    from, from_high = from - WORD, from_high + 1
  end
  return struct.pack(kind.format, time or own, entries + by[2], to, to_high, from, from_high, child)
end

-- How many rows of a node lie at or before a time, of which `least` are known to. O(log rows), O(1) at the end.
local function rows_until(node, kind, time, least)
  local low, high = least, #node / kind.width
  if low < high and time_of(node, kind, high) <= time then
    return high
  end
  while low < high do
    local middle = math.ceil((low + high) / 2)
    if time_of(node, kind, middle) <= time then
      low = middle
    else
      high = middle - 1
    end
  end
  return low
end

-- The rows of a node from one to another, each with its own sums alone.
local function singles(node, kind, from, to)
  local found, before = {}, row(node, kind, from - 1)
  for i = from, to do
    local sums = row(node, kind, i)
    found[#found + 1] = minus(sums, before, sums[1], sums[7])
    before = sums
  end
  return found
end

-- Write a node anew: so many of its rows as they are, then items, given with their own sums alone. What does not fit
-- goes to new nodes. Returns the nodes that it has become, as items of the node above.
local function put(device, kind, id, node, kept, items, evenly)
  local size, total = kind.rows, kept + #items
  if evenly then
    size = math.ceil(total / math.ceil(total / size))
  end
  local parts, at, rows = {}, 1, kept
  local sums = row(node, kind, kept)
  local first = kept > 0 and time_of(node, kind, 1) or items[1][1]
  local packed = {string.sub(node, 1, kept * kind.width)}
  while true do
    while rows < size and items[at] do
      local item = items[at]
      sums = plus(sums, item, item[1], item[7])
      packed[#packed + 1] = struct.pack(kind.format, unpack(sums, 1, kind.numbers))
      rows, at = rows + 1, at + 1
    end
    write_node(device, id, table.concat(packed))
    parts[#parts + 1] = plus(sums, NOTHING, first, id)
    if not items[at] then
      return parts
    end
    id, device.head.next = device.head.next, device.head.next + 1
    first, sums, packed, rows = items[at][1], NOTHING, {}, 0
  end
end

-- Whether a node that may overflow is divided evenly. Where it grows at its end it is filled instead, so that what
-- comes in time, or little late, leaves full nodes behind.
local function divides(kind, rows, kept, total)
  return total > kind.rows and kept < rows * 3 / 4
end

-- Two ascending lists of items as one; those of one time become one.
local function interleaved(a, b, from, to)
  local found, i = {}, 1
  for j = from, to do
    local item = b[j]
    while a[i] and a[i][1] < item[1] do
      found[#found + 1] = a[i]
      i = i + 1
    end
    if a[i] and a[i][1] == item[1] then
      item = plus(a[i], item, item[1])
      i = i + 1
    end
    found[#found + 1] = item
  end
  for rest = i, #a do
    found[#found + 1] = a[rest]
  end
  return found
end

-- A leaf's rows and items, for which there is room, in one.
local function insert(device, id, node, kept, items, from, to)
  local packed, added, i, present = {string.sub(node, 1, kept * LEAF.width)}, NOTHING, kept + 1, #node / LEAF.width
  for j = from, to do
    local item = items[j]
    while i <= present and time_of(node, LEAF, i) < item[1] do
      packed[#packed + 1] = shifted(node, LEAF, i, added)
      i = i + 1
    end
    added = plus(added, item)
    if i <= present and time_of(node, LEAF, i) == item[1] then
      packed[#packed + 1] = shifted(node, LEAF, i, added)
      i = i + 1
    else
      local sums = plus(row(node, LEAF, i - 1), added, item[1])
      packed[#packed + 1] = struct.pack(LEAF.format, unpack(sums, 1, LEAF.numbers))
    end
  end
  for rest = i, present do
    packed[#packed + 1] = shifted(node, LEAF, rest, added)
  end
  local bytes = table.concat(packed)
  write_node(device, id, bytes)
  return {plus(row(bytes, LEAF, #bytes / LEAF.width), NOTHING, time_of(bytes, LEAF, 1), id)}
end

local function merge_leaf(device, id, items, from, to)
  local node = read_node(device, id)
  local present = #node / LEAF.width
  local kept = rows_until(node, LEAF, items[from][1] - 1, 0)
  local total = present + to - from + 1
  if total <= LEAF.rows then
    return insert(device, id, node, kept, items, from, to)
  end
  local evenly = divides(LEAF, present, kept, total)
  if evenly then
    kept = 0
  end
  return put(device, LEAF, id, node, kept, interleaved(singles(node, LEAF, kept + 1, present), items, from, to), evenly)
end

-- Put nodes in the place of those that they have come from, `parts` by the rows of these.
local function replace(device, id, node, kept, parts)
  local present, items, divided = #node / INNER.width, {}, false
  for i = kept + 1, present do
    divided = divided or parts[i] and #parts[i] > 1
  end
  if not divided then
    local packed, added = {string.sub(node, 1, kept * INNER.width)}, NOTHING
    for i = kept + 1, present do
      local part = parts[i] and parts[i][1]
      if part then
        local before = minus(row(node, INNER, i), row(node, INNER, i - 1))
        added = plus(added, minus(part, before))
      end
      packed[#packed + 1] = shifted(node, INNER, i, added, part and part[1])
    end
    local bytes = table.concat(packed)
    write_node(device, id, bytes)
    return {plus(row(bytes, INNER, present), NOTHING, time_of(bytes, INNER, 1), id)}
  end
  for i, child in ipairs(singles(node, INNER, kept + 1, present)) do
    for _, part in ipairs(parts[kept + i] or {child}) do
      items[#items + 1] = part
    end
  end
  local evenly = divides(INNER, present, kept, kept + #items)
  if evenly then
    local all = singles(node, INNER, 1, kept)
    for _, item in ipairs(items) do
      all[#all + 1] = item
    end
    kept, items = 0, all
  end
  return put(device, INNER, id, node, kept, items, evenly)
end

-- Add items from one to another to what is under a node; level 0 is that of leaves. Returns what `put` does.
local function merge(device, level, id, items, from, to)
  if level == 0 then
    return merge_leaf(device, id, items, from, to)
  end
  local node = read_node(device, id)
  local present, kept, parts = #node / INNER.width, nil, {}
  while from <= to do
    -- What is earlier than the first child belongs to it.
    local i = math.max(rows_until(node, INNER, items[from][1], 0), 1)
    local stop = i < present and time_of(node, INNER, i + 1) or math.huge
    local last = from
    while last < to and items[last + 1][1] < stop do
      last = last + 1
    end
    local child = row(node, INNER, i)[7]
    parts[i] = merge(device, level - 1, child, items, from, last)
    kept, from = kept or i - 1, last + 1
  end
  return replace(device, id, node, kept, parts)
end

-- The time from which on the first leaf lies wholly before it.
local function stale_time(device)
  local id, time = 0, device.head.last + 1
  for _ = 1, device.head.depth do
    local node = read_node(device, id)
    if #node > INNER.width then
      time = time_of(node, INNER, 2)
    end
    id = row(node, INNER, 1)[7]
  end
  return time
end

-- Add items, ascending, to a device and its summary; return how many entries they are.
local function grow(device, items)
  local head = device.head
  local depth = head.depth
  local parts = merge(device, head.depth, 0, items, 1, #items)
  while #parts > 1 do
    -- The root stays number 0, so what was there moves to a new one.
    local id = head.next
    write_node(device, id, read_node(device, 0))
    parts[1][7], head.next, head.depth = id, id + 1, head.depth + 1
    parts = put(device, INNER, 0, '', 0, parts, false)
  end
  local before = head.sums[2]
  head.sums = parts[1]
  head.first, head.last = math.min(head.first, items[1][1]), math.max(head.last, items[#items][1])
  if depth == 0 or items[1][1] < head.stale then
    head.stale = stale_time(device)
  end
  return head.sums[2] - before
end

-- Drop the leaves under the first node of level 1 that lie wholly before a time, and whatever nodes are empty then. The
-- device's last instant is not before it.
local function drop_leaves(device, oldest)
  local head, path, id, stop = device.head, {}, 0, math.huge
  for level = head.depth, 1, -1 do
    local node = read_node(device, id)
    path[level] = {id = id, node = node}
    if level > 1 and #node > INNER.width then
      stop = time_of(node, INNER, 2)
    end
    id = row(node, INNER, 1)[7]
  end
  -- All before the leaf that the time falls into; that one too if it falls behind the node.
  local node = path[1].node
  local gone = rows_until(node, INNER, oldest, 0)
  if stop > oldest then
    gone = gone - 1
  end
  local dropped, first = row(node, INNER, gone), nil
  for i = 1, gone do
    forget_node(device, row(node, INNER, i)[7])
  end
  for level = 1, head.depth do
    local packed, step = {}, path[level]
    for i = gone + 1, #step.node / INNER.width do
      local sums = row(step.node, INNER, i)
      first = first or sums[1]
      local time = #packed == 0 and first or sums[1]
      packed[#packed + 1] = struct.pack(INNER.format, unpack(minus(sums, dropped, time, sums[7])))
    end
    if #packed == 0 then
      forget_node(device, step.id)
      gone = 1
    else
      write_node(device, step.id, table.concat(packed))
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

-- Fail, before anything is written, if what is under the keys of all devices is something else. Returns the number of
-- devices, and of entries.
local function check_registry(registry, stale, entries)
  local number = tonumber(redis.call('GET', entries) or 0)
  if not number or redis.call('ZCARD', stale) ~= redis.call('ZCARD', registry) then
    error('no such registry')
  end
  return redis.call('ZCARD', registry), number
end

-- The rows of an argument from one on: those of a leaf, but each with its own sums alone. Raises an error unless they
-- ascend.
local function rows_of(bytes, from)
  local rows, before = {}, -1
  for i = from, #bytes / LEAF.width do
    local item = row(bytes, LEAF, i)
    if item[1] <= before then
      error('rows that do not ascend')
    end
    rows[#rows + 1], before = item, item[1]
  end
  return rows
end

-- Add rows to devices. KEYS from `key` on: registry, stale, entries, devices. ARGV from `argument` on: the oldest
-- second that is kept, how many entries and devices there may be, how many rows may come late, the rows of each device.
-- All is read, checked and worked out before the first write, since nothing is rolled back. Returns OK, or why nothing
-- was done: what there would be too many of.
local function add(keys, key, arguments, argument)
  local registry, stale, entries = keys[key], keys[key + 1], keys[key + 2]
  local oldest, most_entries, most_devices, most_late = unpack(arguments, argument, argument + 3)
  local devices, froms, late = {}, {}, 0
  for i = key + 3, #keys do
    local bytes = arguments[argument + i - key + 1]
    if #bytes == 0 or #bytes % LEAF.width ~= 0 then
      error('rows of another size')
    end
    local device = open_device(keys[i])
    local before = rows_until(bytes, LEAF, tonumber(oldest) - 1, 0)
    late = late + math.max(rows_until(bytes, LEAF, device.head.last, 0) - before, 0)
    devices[#devices + 1], froms[#froms + 1] = device, before + 1
  end
  if late > tonumber(most_late) then
    return 'late'
  end
  local known, stored = check_registry(registry, stale, entries)
  local changed, added, new = {}, 0, 0
  for i, device in ipairs(devices) do
    local items = rows_of(arguments[argument + 3 + i], froms[i])
    if #items > 0 then
      added = added + grow(device, items)
      new = new + (device.new and 1 or 0)
      changed[#changed + 1] = device
    end
  end
  if added > 0 and stored + added > tonumber(most_entries) then
    return 'entries'
  end
  if new > 0 and known + new > tonumber(most_devices) then
    return 'devices'
  end
  for _, device in ipairs(changed) do
    save(device, registry, stale)
  end
  count(entries, added)
  return 'OK'
end

-- KEYS and ARGV as of `add`.
redis.register_function{
  function_name = 'bandwidth_add' .. version,
  callback = function(keys, arguments)
    return add(keys, 1, arguments, 1)
  end,
}

-- KEYS listings, then as of `add`, or none; ARGV a marker, then as of `add`. Only if the marker is new.
redis.register_function{
  function_name = 'bandwidth_add_once' .. version,
  callback = function(keys, arguments)
    if redis.call('SISMEMBER', keys[1], arguments[1]) == 1 then
      return 'OK'
    end
    local done = #keys == 1 and 'OK' or add(keys, 2, arguments, 2)
    if done == 'OK' then
      redis.call('SADD', keys[1], arguments[1])
    end
    return done
  end,
}

-- KEYS listings; ARGV a marker. Whether it is known.
redis.register_function{
  function_name = 'bandwidth_knows' .. version,
  callback = function(keys, arguments)
    return redis.call('SISMEMBER', keys[1], arguments[1])
  end,
  flags = {'no-writes'},
}

-- KEYS registry, stale, entries; ARGV a time. Drop some of what lies before it: of devices, those that have had most of
-- it for longest. It frees memory, so it is done where there is none.
redis.register_function{
  function_name = 'bandwidth_drop' .. version,
  callback = function(keys, arguments)
    local registry, stale, entries = unpack(keys)
    local oldest, less, devices = tonumber(arguments[1]), 0, {}
    local found = redis.call('ZRANGEBYSCORE', stale, '-inf', arguments[1], 'LIMIT', 0, DROPPED_DEVICES)
    if #found == 0 then
      return 'OK'
    end
    check_registry(registry, stale, entries)
    for i, key in ipairs(found) do
      local device = open_device(key)
      local before, steps = device.head.sums[2], 0
      device.all = device.head.last < oldest
      while not device.all and device.head.stale <= oldest and steps < DROPPED_NODES do
        drop_leaves(device, oldest)
        device.head.stale, steps = stale_time(device), steps + 1
      end
      less = less + before - (device.all and 0 or device.head.sums[2])
      devices[i] = device
    end
    for _, device in ipairs(devices) do
      if device.all then
        remove(device.key, registry, stale)
      else
        save(device, registry, stale)
      end
    end
    count(entries, -less)
    return 'OK'
  end,
  flags = {'allow-oom'},
}

-- KEYS registry, stale, entries, devices: forget these devices.
redis.register_function{
  function_name = 'bandwidth_delete' .. version,
  callback = function(keys)
    local registry, stale, entries = unpack(keys)
    check_registry(registry, stale, entries)
    local less = 0
    for i = 4, #keys do
      local head = read_head(keys[i])
      less = less + (head and head.sums[2] or 0)
    end
    for i = 4, #keys do
      remove(keys[i], registry, stale)
    end
    count(entries, -less)
    return 'OK'
  end,
  flags = {'allow-oom'},
}

-- KEYS listings: forget which were counted.
redis.register_function{
  function_name = 'bandwidth_forget' .. version,
  callback = function(keys)
    redis.call('UNLINK', keys[1])
    return 'OK'
  end,
  flags = {'allow-oom'},
}

-- KEYS registry; ARGV a cursor, how many about, the oldest second that is kept. The next cursor, and keys of devices
-- that have entries since.
redis.register_function{
  function_name = 'bandwidth_scan' .. version,
  callback = function(keys, arguments)
    local oldest, found = tonumber(arguments[3]), {}
    local cursor, scored = unpack(redis.call('ZSCAN', keys[1], arguments[1], 'COUNT', arguments[2]))
    for i = 1, #scored, 2 do
      local head = oldest > 0 and redis.call('HGET', scored[i], 'head')
      if oldest == 0 or head and select(2, struct.unpack('<I7I7', head)) >= oldest then
        found[#found + 1] = scored[i]
      end
    end
    return {cursor, found}
  end,
  flags = {'no-writes'},
}

-- KEYS registry, entries; ARGV how many. The number of devices, of entries, and the keys of the busiest devices with
-- their bytes.
redis.register_function{
  function_name = 'bandwidth_totals' .. version,
  callback = function(keys, arguments)
    local most = tonumber(arguments[1])
    local busiest = most > 0 and redis.call('ZREVRANGE', keys[1], 0, most - 1, 'WITHSCORES') or {}
    return {redis.call('ZCARD', keys[1]), redis.call('GET', keys[2]) or '0', busiest}
  end,
  flags = {'no-writes'},
}

-- The sums in a node's i-th row as bytes; none before the first.
local NO_SUMS = ('\0'):rep(30)
local function sums_of(node, kind, i)
  if i == 0 then
    return NO_SUMS
  end
  local start = (i - 1) * kind.width + 8
  return string.sub(node, start, start + 29)
end

-- Return a function that gives the sums of a device's entries up to and at a time: as bytes, one for each level, to
-- be added up; and the first instant after it. Times must ascend, and lie from the device's first instant on and before
-- its last. Nodes on the way to the last time are kept: a next one close to it reads nothing.
local function sums_until(key, head, root)
  local path = {[head.depth] = {node = root, before = '', stop = math.huge, at = 0}}
  return function(time)
    local level = 0
    while not path[level] or time >= path[level].stop do
      level = level + 1
    end
    while level > 0 do
      local step = path[level]
      local node, stop = step.node, step.stop
      local at = rows_until(node, INNER, time, step.at)
      step.at = at
      if at < #node / INNER.width then
        stop = time_of(node, INNER, at + 1)
      end
      local child = struct.unpack('<I4', node, at * INNER.width - 3)
      level = level - 1
      local before = step.before .. sums_of(node, INNER, at - 1)
      path[level] = {node = redis.call('HGET', key, child), before = before, stop = stop, at = 0}
    end
    local leaf = path[0]
    leaf.at = rows_until(leaf.node, LEAF, time, leaf.at)
    local next = leaf.at < #leaf.node / LEAF.width and time_of(leaf.node, LEAF, leaf.at + 1) or leaf.stop
    return leaf.before .. sums_of(leaf.node, LEAF, leaf.at), next
  end
end

-- KEYS devices; ARGV the oldest second that is kept. The summary of each that has entries since, else nil; where it has
-- older ones followed by its first instant since then and the sums before that, one for each level.
redis.register_function{
  function_name = 'bandwidth_heads' .. version,
  callback = function(keys, arguments)
    local oldest, answers = tonumber(arguments[1]), {}
    for i, key in ipairs(keys) do
      local bytes = redis.call('HGET', key, 'head')
      local first, last
      if bytes then
        first, last = struct.unpack('<I7I7', bytes)
      end
      if bytes and last >= oldest and first < oldest then
        local head, root = read_head(key)
        local sums, next = sums_until(key, head, root)(oldest - 1)
        bytes = bytes .. struct.pack('<I7', next) .. sums
      end
      answers[i] = bytes and last >= oldest and bytes
    end
    return answers
  end,
  flags = {'no-writes'},
}

-- KEYS device; ARGV end, length and count of windows, and the oldest second that is kept. The sums up to each border, or
-- up to what is kept, from the first window's start on, in one string, as many for each as the tree has levels, to be
-- added up; nil for a device that has no entries.
redis.register_function{
  function_name = 'bandwidth_windows' .. version,
  callback = function(keys, arguments)
    local head, root = read_head(keys[1])
    local oldest = tonumber(arguments[4])
    if not head or head.last < oldest then
      return nil
    end
    local until_time, sums = sums_until(keys[1], head, root), head.sums
    local none = string.rep(NO_SUMS, head.depth + 1)
    local all = struct.pack('<' .. SUMS, unpack(sums, 2, 6)) .. string.rep(NO_SUMS, head.depth)
    local stop, length, count = tonumber(arguments[1]), tonumber(arguments[2]), tonumber(arguments[3])
    local packed = {}
    for k = 0, count do
      local border, found = math.max(stop - length * (count - k), oldest - 1), none
      if border >= head.last then
        found = all
      elseif border >= head.first then
        found = until_time(border)
      end
      packed[k + 1] = found
    end
    return table.concat(packed)
  end,
  flags = {'no-writes'},
}
