--- The steps from each layout of a stripe to the next. See upgrading.lua.
--- @include builtins
--- @include cells
--- @include ring
--- @include numbered

local STEPS = {}

-- Give a ring its new key, if there is one under the old key. Returns whether there was.
local function renamed(old, key)
  return call('TYPE', old).ok == 'string' and call('RENAMENX', old, key) == 1
end

-- Let a ring live on for longer, if it is to end.
local function prolong(key, by)
  local left = call('PTTL', key)
  if left > 0 then call('PEXPIRE', key, format('%.0f', left + by)) end
end

-- Move the seconds of a ring to their places in one of more seconds. O(seconds)
local function spread_seconds(key, before, ring)
  local seconds, numbers, cells = read(key, before.seconds_at, before.seconds * TOP_SIZE), {}, {}
  for at = 1, #seconds, TOP_SIZE do
    local _, _, count, _, _, number = unpack_from(TOP_CELL, seconds, at)
    local place = number % ring.seconds + 1
    if count > 0 and number > (numbers[place] or -1) then
      numbers[place], cells[place] = number, sub(seconds, at, at + TOP_SIZE - 1)
    end
  end
  for place = 1, ring.seconds do cells[place] = cells[place] or rep('\0', TOP_SIZE) end
  call('SETRANGE', key, ring.seconds_at, concat(cells))
end

-- Fill the seconds of a ring that had none from its blocks. O(blocks)
local function fill_seconds(key, ring)
  call('SETRANGE', key, ring.size - 1, '\0')
  local tops, of_second = read(key, 0, ring.blocks_at), SECOND_MS / BLOCK_MS
  for i = 0, ring.tops - 1 do
    local _, _, count, _, _, number = unpack_from(TOP_CELL, tops, i * TOP_SIZE + 1)
    local blocks = count > 0 and read(key, ring.blocks_at + i * BLOCKS * CELL_SIZE, BLOCKS * CELL_SIZE) or ''
    for at = 0, #blocks / CELL_SIZE - 1, of_second do
      local second = open_second(key, ring, (number * BLOCKS + at) / of_second)
      for block = at, at + of_second - 1 do
        local high, low, more, least, most = unpack_from(CELL, blocks, block * CELL_SIZE + 1)
        if more > 0 then add_cell(second, high, low, more, least, most) end
      end
      if second.count > 0 then write_numbered(key, second) end
    end
  end
end

-- Take a key, if it is free, with a list: 1.0.0, which checks no layout, expects a string there and fails.
local function fence(key)
  if call('EXISTS', key) == 0 then call('RPUSH', key, 'Transactions have layout 2.') end
end

-- From 1 to 2: the history is 61 s longer; in 1.0.0 there was none. The lengths of the rings, which are in the key,
-- follow from the allowed clock skew in seconds, so rings of each are looked for. What was there keeps 1.0.0 out.
STEPS[1] = function(base)
  for skew = 300, 0, -1 do
    local span, seconds = (ceil((65 + skew) / 2) + 1) * TOP_MS, 606 + skew
    local bare = format('%s:%.0f', base, span)
    local old, key = format('%s:%.0f', bare, seconds), format('%s:%.0f', bare, seconds + 61)
    local before, ring = layout(span, seconds), layout(span, seconds + 61)
    local had_seconds = renamed(old, key)
    local had_none = not had_seconds and renamed(bare, key)
    if had_seconds then
      spread_seconds(key, before, ring)
      prolong(key, ring.life - before.life)
    elseif had_none then
      fill_seconds(key, ring)
      prolong(key, ring.life - span)
    end
    if had_seconds or skew == 5 then fence(old) end
    if had_none or skew == 5 then fence(bare) end
  end
end
