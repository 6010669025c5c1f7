--- The sums of a device up to any time.
--- @include nodes

-- The sums in a node's i-th row as bytes; NO_SUMS for row 0.
local SUMS_SIZE = 30
local NO_SUMS = ('\0'):rep(SUMS_SIZE)
local function sums_of(node, kind, i)
  if i == 0 then return NO_SUMS end
  local start = (i - 1) * kind.width + 8
  return sub(node, start, start + SUMS_SIZE - 1)
end

-- Return a function of a time. It returns the sums of the device's entries up to and at that time, as addends in bytes,
-- one for each level, and the first instant after it. Times must ascend, and lie between the device's first instant
-- (inclusive) and its last (exclusive). The nodes on the path to a time are kept: a later time close by reads none.
local function sums_until(key, head, root)
  local path = {[head.depth] = {node = root, before = '', stop = math.huge, at = 0}}
  return function(time)
    local level = 0
    while not path[level] or time >= path[level].stop do level = level + 1 end
    while level > 0 do
      local step = path[level]
      local node, stop = step.node, step.stop
      local at = rows_until(node, INNER, time, step.at)
      step.at = at
      if at < #node / INNER.width then stop = key_of(node, INNER, at) end
      local child = unpack_from('<I4', node, at * INNER.width - 3)
      level = level - 1
      local before = step.before .. sums_of(node, INNER, at - 1)
      path[level] = {node = call('HGET', key, child), before = before, stop = stop, at = 0}
    end
    local leaf = path[0]
    leaf.at = rows_until(leaf.node, LEAF, time, leaf.at)
    local next = leaf.at < #leaf.node / LEAF.width and key_of(leaf.node, LEAF, leaf.at) or leaf.stop
    return leaf.before .. sums_of(leaf.node, LEAF, leaf.at), next
  end
end
