--- Sums of a device up to any time.
--- @include nodes

-- The sums in a node's i-th row as bytes; none before the first.
local SUMS_SIZE = 30
local NO_SUMS = ('\0'):rep(SUMS_SIZE)
local function sums_of(node, kind, i)
  if i == 0 then return NO_SUMS end
  local start = (i - 1) * kind.width + 8
  return sub(node, start, start + SUMS_SIZE - 1)
end

-- Return a function that gives the sums of a device's entries up to and at a time: as bytes, one for each level, to
-- be added up; and the first instant after it. Times must ascend, and lie from the device's first instant on and before
-- its last. Nodes on the way to the last time are kept: a next one close to it reads nothing.
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
