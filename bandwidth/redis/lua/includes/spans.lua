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

-- Add to `found`, for each span from the first one on, what the items of a device have in it: pairs of bytes and key.
-- O(items in these spans)
local function note_items(found, device, items, first)
  local sum, i = 0, #items
  for span = SPANS, 1, -1 do
    local begin = (first + span - 1) * SLOT
    while i > 0 and items[i][1] >= begin do
      local item = items[i]
      sum = sum + ((item[4] + item[6]) * WORD + (item[3] + item[5]))
      i = i - 1
    end
    if sum > 0 then
      local noted = found[span]
      noted[#noted + 1] = {format('%.17g', sum), device}
    end
  end
end

-- Return the marks of the spans for which something was found, false of those that have none. Fails, before anything is
-- written, if a key holds anything but a span.
local function marks_of(keys, key, found)
  local marks = {}
  for i = 1, SPANS do marks[i] = #found[i] > 0 and call('ZSCORE', keys[key + i - 1], '') end
  return marks
end

-- Return whether a key with this mark holds a span or, if it holds an earlier one, does so from now on. A later span
-- stays: nobody listens to a writer whose clock is far behind, or who sends what it read long ago.
local function begin_span(key, span, mark)
  if mark == mark_of(span) then return true end
  if mark and tonumber(mark) < -1 - span then return false end
  call('UNLINK', key)
  call('ZADD', key, mark_of(span), '')
  call('EXPIRE', key, (SPANS + 1) * SLOT) -- it is shown for three slots at most
  return true
end

-- Add what was found to the spans. O(log devices) for each device
local function write_spans(keys, key, first, found, marks)
  for i = 1, SPANS do
    local span = keys[key + i - 1]
    if #found[i] > 0 and begin_span(span, first + i - 1, marks[i]) then
      for _, noted in ipairs(found[i]) do call('ZINCRBY', span, noted[1], noted[2]) end
    end
  end
end
