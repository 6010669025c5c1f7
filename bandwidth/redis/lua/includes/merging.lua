--- Merging items into a device's tree. An item is the sums of one instant or of one child, not cumulative.
--
-- A changed node is returned as the items that replace it in the node above: several if it was split.
--- @include device
--- @include nodes
--- @include sums

-- Whether to split an overflowing node evenly. One that grows at its end is filled up instead, so that rows in order,
-- or only a little late, leave full nodes behind.
local function divides(kind, rows, kept, total)
  return total > kind.rows and kept < rows * 3 / 4
end

-- Rewrite a node: its first `kept` rows as they are, then items. Items that do not fit go to new nodes. Returns the
-- items that replace the node.
local function put(device, kind, id, node, kept, items, evenly)
  local size, total = kind.rows, kept + #items
  if evenly then size = ceil(total / ceil(total / size)) end
  local parts, at, rows = {}, 1, kept
  local sums = row(node, kind, kept)
  local first = kept > 0 and key_of(node, kind, 0) or items[1][1]
  local packed = {slice(node, kind, 0, kept)}
  while true do
    while rows < size and items[at] do
      local item = items[at]
      sums = plus(sums, item, item[1], item[7])
      packed[#packed + 1] = packed_row(kind, sums)
      rows, at = rows + 1, at + 1
    end
    write_node(device, id, concat(packed))
    parts[#parts + 1] = plus(sums, NOTHING, first, id)
    if not items[at] then return parts end
    id, device.head.next = device.head.next, device.head.next + 1
    first, sums, packed, rows = items[at][1], NOTHING, {}, 0
  end
end

-- Insert items into a leaf that has room for them.
local function insert(device, id, node, kept, items, from, to)
  local packed, added, i, present = {slice(node, LEAF, 0, kept)}, NOTHING, kept + 1, #node / LEAF.width
  for j = from, to do
    local item = items[j]
    while i <= present and key_of(node, LEAF, i - 1) < item[1] do
      packed[#packed + 1] = shifted(node, LEAF, i, added)
      i = i + 1
    end
    added = plus(added, item)
    if i <= present and key_of(node, LEAF, i - 1) == item[1] then
      packed[#packed + 1] = shifted(node, LEAF, i, added)
      i = i + 1
    else
      packed[#packed + 1] = packed_row(LEAF, plus(row(node, LEAF, i - 1), added, item[1]))
    end
  end
  for rest = i, present do packed[#packed + 1] = shifted(node, LEAF, rest, added) end
  local bytes = concat(packed)
  write_node(device, id, bytes)
  return {plus(row(bytes, LEAF, #bytes / LEAF.width), NOTHING, key_of(bytes, LEAF, 0), id)}
end

local function merge_leaf(device, id, items, from, to)
  local node = read_node(device, id)
  local present = #node / LEAF.width
  local kept = rows_until(node, LEAF, items[from][1] - 1, 0)
  local total = present + to - from + 1
  if total <= LEAF.rows then return insert(device, id, node, kept, items, from, to) end
  local evenly = divides(LEAF, present, kept, total)
  if evenly then kept = 0 end
  return put(device, LEAF, id, node, kept, interleaved(singles(node, LEAF, kept + 1, present), items, from, to), evenly)
end

-- Rewrite an inner node some of whose children have grown, none of them split. `grown` has, by row, the items that
-- replace a child.
local function update(device, id, node, kept, grown)
  local packed, added, present = {slice(node, INNER, 0, kept)}, NOTHING, #node / INNER.width
  for i = kept + 1, present do
    local child = grown[i] and grown[i][1]
    if child then
      local before = minus(row(node, INNER, i), row(node, INNER, i - 1))
      added = plus(added, minus(child, before))
    end
    packed[#packed + 1] = shifted(node, INNER, i, added, child and child[1])
  end
  local bytes = concat(packed)
  write_node(device, id, bytes)
  return {plus(row(bytes, INNER, present), NOTHING, key_of(bytes, INNER, 0), id)}
end

-- Replace an inner node's children that have changed; its first `kept` rows stay as they are.
local function replace(device, id, node, kept, grown)
  local present, items, divided = #node / INNER.width, {}, false
  for i = kept + 1, present do divided = divided or grown[i] and #grown[i] > 1 end
  if not divided then return update(device, id, node, kept, grown) end
  for i, child in ipairs(singles(node, INNER, kept + 1, present)) do
    for _, item in ipairs(grown[kept + i] or {child}) do items[#items + 1] = item end
  end
  local evenly = divides(INNER, present, kept, kept + #items)
  if evenly then
    local all = singles(node, INNER, 1, kept)
    for _, item in ipairs(items) do all[#all + 1] = item end
    kept, items = 0, all
  end
  return put(device, INNER, id, node, kept, items, evenly)
end

-- Add the items `from` to `to` under a node; leaves are level 0. Returns the items that replace the node.
local function merge(device, level, id, items, from, to)
  if level == 0 then return merge_leaf(device, id, items, from, to) end
  local node = read_node(device, id)
  local present, kept, grown = #node / INNER.width, nil, {}
  while from <= to do
    -- Items earlier than the first child belong to that child.
    local i = max(rows_until(node, INNER, items[from][1], 0), 1)
    local stop = i < present and key_of(node, INNER, i) or math.huge
    local last = from
    while last < to and items[last + 1][1] < stop do last = last + 1 end
    local child = row(node, INNER, i)[7]
    grown[i] = merge(device, level - 1, child, items, from, last)
    kept, from = kept or i - 1, last + 1
  end
  return replace(device, id, node, kept, grown)
end

-- Add ascending items to a device and its summary; return how many entries they hold.
local function grow(device, items)
  local head = device.head
  local depth = head.depth
  local parts = merge(device, depth, 0, items, 1, #items)
  while #parts > 1 do
    -- The root keeps number 0, so its old content moves to a new number.
    local id = head.next
    write_node(device, id, read_node(device, 0))
    parts[1][7], head.next, head.depth = id, id + 1, head.depth + 1
    parts = put(device, INNER, 0, '', 0, parts, false)
  end
  local before = head.sums[2]
  head.sums = parts[1]
  head.first, head.last = min(head.first, items[1][1]), max(head.last, items[#items][1])
  if depth == 0 or items[1][1] < head.stale then head.stale = stale_time(device) end
  return head.sums[2] - before
end
