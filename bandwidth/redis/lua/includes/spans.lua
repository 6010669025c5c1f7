--- Spans: what each device of a stripe sent from the begin of a slot of time on.
--
-- A span is a sorted set: devices by their bytes. It has the number of the slot that it begins with. Four keys are used
-- in turn, so a key may hold an earlier span: the member '' says which, by a score less than those of all devices. A
-- device of which entries were dropped may have more bytes there than it should, but never less.
--- @include builtins
--- @include sums

-- How many spans a write adds to, from that of the previous slot on, and how many keys there are.
local SPANS, ALL_SPANS = 3, 4

local function mark_of(span)
  return format('%.0f', -1 - span)
end

local function is_span(key, span)
  return call('ZSCORE', key, '') == mark_of(span)
end

-- How many bytes items have in each span from the first one on. O(items in these spans)
local function recent_bytes(items, first)
  local found, sum, i = {0, 0, 0}, 0, #items
  for span = SPANS, 1, -1 do
    local begin = (first + span - 1) * SLOT
    while i > 0 and items[i][1] >= begin do
      local item = items[i]
      sum = sum + ((item[4] + item[6]) * WORD + (item[3] + item[5]))
      i = i - 1
    end
    found[span] = sum
  end
  return found
end

-- Fail, before anything is written, if the keys hold anything but spans.
local function check_spans(keys, key, count)
  for i = key, key + count - 1 do call('ZCARD', keys[i]) end
end

-- Return whether a key holds a span or, if it holds an earlier one, does so now. A later span stays: to a writer whose
-- clock is far behind, or who sends what it read long ago, nobody would listen.
local function begin_span(key, span)
  local mark = call('ZSCORE', key, '')
  if mark == mark_of(span) then return true end
  if mark and tonumber(mark) < -1 - span then return false end
  call('UNLINK', key)
  call('ZADD', key, mark_of(span), '')
  return true
end

-- Add what devices have in each span: lists of bytes by the devices' keys. O(log devices) each
local function note_bytes(keys, key, first, bytes)
  for i = 1, SPANS do
    local span, begun = keys[key + i - 1], nil
    for device, found in pairs(bytes) do
      if found[i] > 0 and begun ~= false then
        if begun == nil then begun = begin_span(span, first + i - 1) end
        if begun then call('ZINCRBY', span, format('%.17g', found[i]), device) end
      end
    end
    if begun then call('EXPIRE', span, (SPANS + 1) * SLOT) end
  end
end
