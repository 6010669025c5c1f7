--- Adding rows to devices, for add and add_once.
--- @include merging
--- @include registry
--- @include spans

-- The rows of an argument from row `from` on, each with its own sums only. Fails unless their times ascend.
local function rows_of(bytes, from)
  local rows, before = {}, -1
  for i = from, #bytes / LEAF.width do
    local item = row(bytes, LEAF, i)
    if item[1] <= before then error('rows that do not ascend') end
    rows[#rows + 1], before = item, item[1]
  end
  return rows
end

-- Open the devices that get rows. Returns them, the number of each one's first row that is not too old, and how many
-- rows are late: at or before their device's last instant.
local function open_devices(keys, key, args, arg, oldest)
  local devices, froms, late = {}, {}, 0
  for i = key, #keys do
    local bytes = args[arg + i - key]
    if #bytes == 0 or #bytes % LEAF.width ~= 0 then error('rows of another size') end
    local device = open_device(keys[i])
    local before = rows_until(bytes, LEAF, oldest - 1, 0)
    late = late + max(rows_until(bytes, LEAF, device.head.last, 0) - before, 0)
    devices[#devices + 1], froms[#froms + 1] = device, before + 1
  end
  return devices, froms, late
end

-- Add rows to devices. Keys from `key` on and arguments from `arg` on are those of add; so is the answer. Everything is
-- read, checked and worked out before the first write, because nothing is rolled back.
local function add_rows(keys, key, args, arg)
  local registry, stale, entries = keys[key], keys[key + 1], keys[key + 2]
  local oldest, most_entries, most_devices, most_late, first_span = unpack(args, arg, arg + 4)
  local devices, froms, late = open_devices(keys, key + 3 + SPANS, args, arg + 5, tonumber(oldest))
  if late > tonumber(most_late) then return 'late' end
  local known, stored = check_registry(registry, stale, entries)
  local changed, found, added, new = {}, {{}, {}, {}}, 0, 0
  for i, device in ipairs(devices) do
    local items = rows_of(args[arg + 4 + i], froms[i])
    if #items > 0 then
      added = added + grow(device, items)
      new = new + (device.new and 1 or 0)
      changed[#changed + 1] = device
      note_items(found, device.key, items, tonumber(first_span))
    end
  end
  if added > 0 and stored + added > tonumber(most_entries) then return 'entries' end
  if new > 0 and known + new > tonumber(most_devices) then return 'devices' end
  local marks = marks_of(keys, key + 3, found)
  for _, device in ipairs(changed) do save(device, registry, stale) end
  write_spans(keys, key + 3, tonumber(first_span), found, marks)
  count(entries, added)
  return 'OK'
end
