--- The steps from each layout of a stripe to the next. See upgrading.lua.
--- @include builtins
--- @include device
--- @include spans
--- @include sums_until

local STEPS = {}

-- The bytes in sums without those in addends, as sums_until returns them.
local function bytes_without(sums, addends)
  local low, high = sums[3] + sums[5], sums[4] + sums[6]
  for at = 1, #addends, SUMS_SIZE do
    local _, to, to_high, from, from_high = unpack_from('<' .. SUMS, addends, at)
    low, high = low - to - from, high - to_high - from_high
  end
  return high * WORD + low
end

-- Add to `found`, for each span from the first one on, what a device has in it, as note_items does with rows. O(log n)
local function note_device(found, key, first)
  local bytes = call('HGET', key, 'head')
  if not bytes or select(2, unpack_from('<I7I7', bytes)) < first * SLOT then return end
  local head, root = read_head(key)
  local until_time = sums_until(key, head, root)
  for span = 1, SPANS do
    local before = (first + span - 1) * SLOT - 1
    if before >= head.last then return end
    local sum = bytes_without(head.sums, before >= head.first and until_time(before) or NO_SUMS)
    if sum > 0 then found[span][#found[span] + 1] = {format('%.17g', sum), key} end
  end
end

-- From 1 to 2: the registry has another key, and there are spans. The old key keeps a string: 1.0.0, which checks no
-- layout, reads it as its registry before it writes, and fails.
--
-- Devices leave the old registry for the new one. The cursor is the first span, so that all have the same spans.
STEPS[1] = function(base, cursor)
  local old, leaving, registry = base .. ':devices', base .. ':upgrading', base .. ':registry'
  local first = tonumber(cursor)
  if not first then
    if call('TYPE', old).ok == 'zset' then call('RENAME', old, leaving) end
    call('SET', old, 'Bandwidth has layout 2: releases that look for devices here must not write.')
    first = max(floor(call('TIME')[1] / SLOT) - 1, 0)
  end
  local spans, found = {}, {{}, {}, {}}
  for i = 1, SPANS do spans[i] = format('%s:busy:%.0f', base, (first + i - 1) % ALL_SPANS) end
  for _, key in ipairs(call('ZRANGE', leaving, 0, UPGRADED_DEVICES - 1)) do
    note_device(found, key, first)
    call('ZADD', registry, 0, key)
    call('ZREM', leaving, key)
  end
  write_spans(spans, 1, first, found, marks_of(spans, 1, found))
  return call('EXISTS', leaving) == 1 and format('%.0f', first) or nil
end
