--- Sums of entries as lists of numbers.
--
-- A list holds: time; entries; bytes to the server as the low 48 bits and the bits above; bytes from the server,
-- likewise; in rows of an inner node also the child's number. A double holds each of these exactly.

local WORD = 2 ^ 48
local NOTHING = {0, 0, 0, 0, 0, 0}

-- The sums of a and b together, with a time and a child's number. O(1)
local function plus(a, b, time, child)
  local to, to_high, from, from_high = a[3] + b[3], a[4] + b[4], a[5] + b[5], a[6] + b[6]
  if to >= WORD then to, to_high = to - WORD, to_high + 1 end
  if from >= WORD then from, from_high = from - WORD, from_high + 1 end
  return {time, a[2] + b[2], to, to_high, from, from_high, child}
end

-- The sums of a without those of b, which a contains, with a time and a child's number. O(1)
local function minus(a, b, time, child)
  local to, to_high, from, from_high = a[3] - b[3], a[4] - b[4], a[5] - b[5], a[6] - b[6]
  if to < 0 then to, to_high = to + WORD, to_high - 1 end
  if from < 0 then from, from_high = from + WORD, from_high - 1 end
  return {time, a[2] - b[2], to, to_high, from, from_high, child}
end

-- Merge two ascending lists of items, a and b from item `from` to `to`; items of one time are added up. O(items)
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
  for rest = i, #a do found[#found + 1] = a[rest] end
  return found
end
