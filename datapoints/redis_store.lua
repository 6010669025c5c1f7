-- Series of datapoints on the server; redis_store.py calls these functions and says what they are for.
--
-- All keys begin with a base, the one key of every call: the same on one node, that of a stripe in a cluster.
--   base D, base U             sets of all devices and of all users
--   base F                     sorted set of all series, DEVICE \31 USER, by the time of their first point
--   base C                     points stored, points ever added
--   base d DEVICE              hash: user -> the series' figures, or 8 bytes: the mark of a series to come
--   base u USER                hash: device -> token: where this user has series
--   base p DEVICE \31 USER     the directory of a column's pages, once there are several: a sorted set of bounds
--   ... \31 BOUND              a page: its rows have keys from its bound up to that of the next one
-- A column is a list of rows of doubles, ascending by the first, the key. Each series has two of them: its points
-- (time, value), and under s in place of p the sums of its quarter-hours (number, count, high, low).

-- Bytes of a row, and of a page that is filled from the left: with its header it fills an allocation. Small, since Lua
-- hashes every byte of every string it makes (2 ns each). What comes late may double a page before it is divided.
local WIDTHS = {p = 16, s = 32}
local LENGTHS = {p = 1008, s = 2016}
local QUARTER_HOUR = 15 * 60 * 1000000
-- count, late, first, last, epoch; then of points and of sums: bound of the last page, rows in it, pages.
local FIGURES = '<I4I4ddddI2I4I4I2I4'
local MARK_LENGTH = 8
-- Pages that one call adds late points to at most, so that it ends in time: each costs some 50 us.
local LATE_PAGES = 1000
-- Series that one call drops old points of at most, unless it is told which, and pages of points, about.
local SWEPT = 100
local CUT_PAGES = 1000
-- Keys that one command removes at most.
local AT_ONCE = 500
-- Devices or users that one step of a clearing forgets.
local STEP = 100

-- Not there yet when the library is loaded: every function sets them first.
local call, pack, unpack_from, sub, format, floor, ceil

-- A number without exponent, as it stands in names of pages.
local function decimal(number)
  return format('%.0f', number)
end

local function device_key(base, device)
  return base .. 'd' .. device
end

local function user_key(base, user)
  return base .. 'u' .. user
end

---------------------------------------------------------------------------------------------------------- rows

-- The key of a row, counted from 0.
local function key_of(rows, width, row)
  return (unpack_from('<d', rows, row * width + 1))
end

-- The rows from one to before another.
local function slice(rows, width, from, to)
  return sub(rows, from * width + 1, to * width)
end

-- The first row, not before `low`, whose key is not less than `key`. O(log rows)
local function lower(rows, width, key, low)
  local high = #rows / width
  while low < high do
    local middle = floor((low + high) / 2)
    if (unpack_from('<d', rows, middle * width + 1)) < key then low = middle + 1 else high = middle end
  end
  return low
end

-- Add a double to a sum kept as a pair: summation.py's add_to_pair.
local function add_to_pair(high, low, x)
  local s = high + x
  local t = s - high
  local v = low + ((high - (s - t)) + (x - t))
  local total = s + v
  return total, v - (total - s)
end

-- One row of sums made of two of the same quarter-hour.
local function combined(one, other)
  local number, count, high, low = unpack_from('<dddd', one)
  local _, more, x, y = unpack_from('<dddd', other)
  high, low = add_to_pair(high, low, x)
  high, low = add_to_pair(high, low, y)
  return pack('<dddd', number, count + more, high, low)
end

-- Two lists of rows made into one. Where both have a key, `equal` says what stands there in the end, of the row stored,
-- the new one and its number. Runs are moved as they are, so a block that fits into a gap costs O(log rows).
local function merged(page, rows, width, equal)
  local pieces, at, row = {}, 0, 0
  local stored, new = #page / width, #rows / width
  while row < new do
    local key = key_of(rows, width, row)
    local place = lower(page, width, key, at)
    pieces[#pieces + 1] = slice(page, width, at, place)
    at = place
    local beyond = place < stored and key_of(page, width, place)
    if beyond == key then
      pieces[#pieces + 1] = equal(slice(page, width, at, at + 1), slice(rows, width, row, row + 1), row)
      at, row = at + 1, row + 1
    else
      local past = beyond and row + 1 < new and lower(rows, width, beyond, row + 1) or new
      pieces[#pieces + 1] = slice(rows, width, row, past)
      row = past
    end
  end
  pieces[#pieces + 1] = slice(page, width, at, stored)
  return table.concat(pieces)
end

------------------------------------------------------------------------------------------------------- columns

local function column(base, letter, device, user, bound, rows, pages)
  return {
    key = base .. letter .. device .. '\31' .. user,
    width = WIDTHS[letter], length = LENGTHS[letter], bound = bound, rows = rows, pages = pages,
  }
end

local function page_key(col, name)
  return col.key .. '\31' .. name
end

-- Set a page that is not there yet; the first one begins at 0, the least key there can be.
local function new_page(col, bound, rows)
  local name = decimal(bound)
  call('SET', page_key(col, name), rows)
  if col.pages == 1 then call('ZADD', col.key, 0, '0') end
  if col.pages > 0 then call('ZADD', col.key, name, name) end
  col.pages = col.pages + 1
  if bound >= col.bound then col.bound, col.rows = bound, #rows / col.width end
end

-- Add rows beyond all that the column has. No loop over rows, one over pages.
local function append(col, rows)
  local width, length, done = col.width, col.length, 0
  if col.pages > 0 then
    local key = page_key(col, decimal(col.bound))
    local room = length - col.rows * width
    if room > 0 then
      local part = room < #rows and sub(rows, 1, room) or rows
      call('APPEND', key, part)
      col.rows = col.rows + #part / width
      done = #part
    end
    if done == #rows then return end
    -- What was appended to has room to grow: it is not needed any more.
    call('SET', key, call('GET', key))
  end
  while done < #rows do
    local part = sub(rows, done + 1, done + length)
    new_page(col, col.pages == 0 and 0 or key_of(part, width, 0), part)
    done = done + #part
  end
end

-- The bound of the page to which a key belongs, and that of the page behind it, if there is one.
local function place(col, key)
  if key >= col.bound then return decimal(col.bound) end
  local bound = call('ZREVRANGEBYSCORE', col.key, decimal(key), '-inf', 'LIMIT', 0, 1)[1]
  return bound, call('ZRANGEBYSCORE', col.key, '(' .. bound, '+inf', 'LIMIT', 0, 1)[1]
end

-- Call `visit` for each page to which rows belong: with its bound, those rows, and the number of the first of them.
-- Returns that number where `visit` asks to stop.
local function each_page(col, rows, visit)
  local row, all, width = 0, #rows / col.width, col.width
  while row < all do
    local bound, beyond = place(col, key_of(rows, width, row))
    local past = beyond and lower(rows, width, tonumber(beyond), row) or all
    if visit(bound, slice(rows, width, row, past), row) then return row end
    row = past
  end
end

-- Write a page that has grown, in several where it is too long.
local function write(col, bound, page)
  local width = col.width
  local all = #page / width
  local parts = #page > 2 * col.length and floor(#page / col.length + 0.5) or 1
  local size = ceil(all / parts)
  local first = slice(page, width, 0, size)
  call('SET', page_key(col, bound), first)
  if tonumber(bound) == col.bound then col.rows = #first / width end
  for row = size, all - 1, size do
    new_page(col, key_of(page, width, row), slice(page, width, row, row + size))
  end
end

-- Add rows; those with keys up to `last`, the greatest there is, to the pages where they belong. `late` are these pages
-- with them, if that is known: pairs of bound and page.
local function insert(col, last, rows, late)
  local width = col.width
  local before = lower(rows, width, last + 1, 0)
  if late then
    for i = 1, #late, 2 do write(col, late[i], late[i + 1]) end
  elseif before == 1 and width == WIDTHS.s and key_of(rows, width, 0) == last then
    -- The quarter-hour in progress, as most often.
    local key, at = page_key(col, decimal(col.bound)), (col.rows - 1) * width
    call('SETRANGE', key, at, combined(call('GETRANGE', key, at, -1), slice(rows, width, 0, 1)))
  elseif before > 0 then
    each_page(col, slice(rows, width, 0, before), function(bound, part)
      write(col, bound, merged(call('GET', page_key(col, bound)), part, width, combined))
    end)
  end
  if before * width < #rows then append(col, slice(rows, width, before, #rows / width)) end
end

-- The names of up to `limit` pages that may hold keys of start <= key < stop; all of them where it is -1.
local function pages_in(col, start, stop, limit)
  if col.pages == 1 or start >= col.bound then return {decimal(col.bound)} end
  local first = call('ZREVRANGEBYSCORE', col.key, decimal(start), '-inf', 'LIMIT', 0, 1)[1]
  local names = call('ZRANGEBYSCORE', col.key, first, '(' .. decimal(stop), 'LIMIT', 0, limit)
  return #names > 0 and names or {first}
end

-- Remove keys, however many.
local function unlink(keys)
  for i = 1, #keys, AT_ONCE do
    call('UNLINK', unpack(keys, i, math.min(i + AT_ONCE - 1, #keys)))
  end
end

-- Remove the first page, and those of the bounds told but the last, whose page becomes the first: its bound is 0 then.
-- Returns how many rows they had.
local function remove_first(col, bounds)
  local last, rows, keys = bounds[#bounds], 0, {page_key(col, '0')}
  for i = 1, #bounds - 1 do keys[i + 1] = page_key(col, bounds[i]) end
  for _, key in ipairs(keys) do rows = rows + call('STRLEN', key) / col.width end
  unlink(keys)
  call('RENAME', page_key(col, last), page_key(col, '0'))
  call('ZREMRANGEBYSCORE', col.key, '(0', last)
  col.pages = col.pages - #bounds
  if col.pages == 1 then
    call('UNLINK', col.key)
    col.bound = 0
  end
  return rows
end

-- Remove the rows before a key that is not beyond the last row. Returns how many these were.
local function cut_column(col, key)
  local gone, width = 0, col.width
  local bounds = col.pages > 1 and call('ZRANGEBYSCORE', col.key, '(0', decimal(key)) or {}
  if #bounds > 0 then gone = remove_first(col, bounds) end
  local page = call('GET', page_key(col, '0'))
  local row, all = lower(page, width, key, 0), #page / width
  if row == all then return gone + remove_first(col, call('ZRANGE', col.key, 1, 1)) end
  if row > 0 then
    call('SET', page_key(col, '0'), slice(page, width, row, all))
    if col.pages == 1 then col.rows = all - row end
  end
  return gone + row
end

local function remove_column(col)
  if col.pages == 1 then
    call('UNLINK', page_key(col, '0'))
    return
  end
  local keys = {col.key}
  for _, name in ipairs(call('ZRANGE', col.key, 0, -1)) do keys[#keys + 1] = page_key(col, name) end
  unlink(keys)
end

-------------------------------------------------------------------------------------------------------- series

-- Whether a device's hash holds figures under a user's name: neither nothing nor a mark.
local function exists(packed)
  return packed and #packed > MARK_LENGTH
end

-- A series of these figures; an empty one without.
local function series(base, device, user, packed)
  local it = {base = base, device = device, user = user, packed = packed, count = 0, late = 0}
  local p_bound, p_rows, p_pages, s_bound, s_rows, s_pages = 0, 0, 0, 0, 0, 0
  if exists(packed) then
    it.count, it.late, it.first, it.last, it.epoch, p_bound, p_rows, p_pages, s_bound, s_rows, s_pages =
      unpack_from(FIGURES, packed)
  end
  it.p = column(base, 'p', device, user, p_bound, p_rows, p_pages)
  it.s = column(base, 's', device, user, s_bound, s_rows, s_pages)
  return it
end

local function stored_series(base, device, user)
  return series(base, device, user, call('HGET', device_key(base, device), user))
end

local function save(it)
  local p, s = it.p, it.s
  call('HSET', device_key(it.base, it.device), it.user, pack(FIGURES, it.count, it.late, it.first, it.last, it.epoch,
    p.bound, p.rows, p.pages, s.bound, s.rows, s.pages))
end

-- Take note of the first point of a series.
local function note_first(it)
  call('ZADD', it.base .. 'F', decimal(it.first), it.device .. '\31' .. it.user)
end

-- Take note that a user has a series at a device.
local function enter(base, user, device, token)
  call('HSET', user_key(base, user), device, token)
  call('SADD', base .. 'U', user)
end

-- Forget that, if the entry is still the one with this token.
local function leave(base, user, device, token)
  local key = user_key(base, user)
  if call('HGET', key, device) ~= token then return end
  call('HDEL', key, device)
  if call('EXISTS', key) == 0 then call('SREM', base .. 'U', user) end
end

-- Add points, none of which the series has, and the sums of their quarter-hours; `late` as for insert.
local function grow(it, points, sums, late)
  local count = #points / WIDTHS.p
  local first, last = key_of(points, WIDTHS.p, 0), key_of(points, WIDTHS.p, count - 1)
  local begun = it.first
  if it.count == 0 then
    it.first, it.last = first, last
    append(it.p, points)
    append(it.s, sums)
  else
    insert(it.p, it.last, points, late)
    insert(it.s, floor(it.last / QUARTER_HOUR), sums)
    if first < it.last then it.late = it.late + 1 end
    it.first, it.last = math.min(first, it.first), math.max(last, it.last)
  end
  it.count = it.count + count
  if it.first ~= begun then note_first(it) end
  save(it)
  return count
end

-- Forget a series; `here` says that its entry among the user's is under the same base. Returns how many points it had.
local function drop(base, device, user, packed, here)
  call('HDEL', device_key(base, device), user)
  if not exists(packed) then return 0 end
  local it = series(base, device, user, packed)
  remove_column(it.p)
  remove_column(it.s)
  call('ZREM', base .. 'F', device .. '\31' .. user)
  if here then leave(base, user, device, pack('<d', it.epoch)) end
  return it.count
end

-- Forget a device that has no series left.
local function forget_if_empty(base, device)
  if call('EXISTS', device_key(base, device)) == 0 then call('SREM', base .. 'D', device) end
end

-- Forget all series of a device. Returns how many points they had.
local function drop_device(base, device, here)
  local count = 0
  local fields = call('HGETALL', device_key(base, device))
  for i = 1, #fields, 2 do count = count + drop(base, device, fields[i], fields[i + 1], here) end
  forget_if_empty(base, device)
  return count
end

-- Forget the points of a series before `oldest`, the start of a quarter-hour; where they lie in many pages only some,
-- of at least a quarter-hour. Returns how many these were, and in about how many pages. What is left of it is saved;
-- where nothing is, `dropped` gets its user, device and token.
local function cut(it, oldest, here, dropped)
  local time, pages = oldest, it.p.pages
  if pages > CUT_PAGES then
    local bound = call('ZRANGE', it.p.key, CUT_PAGES, CUT_PAGES)[1]
    time = math.min(oldest, QUARTER_HOUR * math.max(floor(bound / QUARTER_HOUR), floor(it.first / QUARTER_HOUR) + 1))
  end
  if it.last < time then
    dropped[#dropped + 1] = it.user
    dropped[#dropped + 1] = it.device
    dropped[#dropped + 1] = pack('<d', it.epoch)
    local gone = drop(it.base, it.device, it.user, it.packed, here)
    forget_if_empty(it.base, it.device)
    return gone, pages
  end
  local gone = cut_column(it.p, time)
  cut_column(it.s, time / QUARTER_HOUR)
  it.count = it.count - gone
  it.first = unpack_from('<d', call('GETRANGE', page_key(it.p, '0'), 0, 7))
  note_first(it)
  save(it)
  return gone, pages - it.p.pages
end

local function count_points(base, stored, added)
  if stored ~= 0 then call('HINCRBY', base .. 'C', 'points', stored) end
  if added ~= 0 then call('HINCRBY', base .. 'C', 'added', added) end
end

----------------------------------------------------------------------------------------------------- functions

-- The points that are stored already: pairs of the place of a series in the call and of a row in its points. And where
-- it stopped, as such a pair: there are late points for too many pages. Leaves with each part the pages that its late
-- points would make.
local function duplicates(all)
  local found, pages, width = {}, 0, WIDTHS.p
  for place_of, part in ipairs(all) do
    local it, points = part.series, part.points
    if it.count > 0 and key_of(points, width, 0) <= it.last then
      local late = {}
      local stopped = each_page(it.p, slice(points, width, 0, lower(points, width, it.last + 1, 0)),
        function(bound, rows, first)
          if pages == LATE_PAGES then return true end
          pages = pages + 1
          late[#late + 1] = bound
          late[#late + 1] = merged(call('GET', page_key(it.p, bound)), rows, width, function(_, row, number)
            found[#found + 1] = place_of - 1
            found[#found + 1] = first + number
            return row
          end)
        end)
      if stopped then return found, {place_of - 1, stopped} end
      part.late = late
    end
  end
  return found, {}
end

-- How many points and series there are under a base.
local function counted(base)
  return tonumber(call('HGET', base .. 'C', 'points') or 0), call('ZCARD', base .. 'F')
end

-- How many points the first parts of a call bring, and how many series that are not there yet.
local function brought(all, parts)
  local points, series = 0, 0
  for i = 1, parts do
    local part = all[i]
    points = points + #part.points / WIDTHS.p
    if part.series.count == 0 then series = series + 1 end
  end
  return points, series
end

-- What a call gives from `from` on: device, user, token, points, sums of each series.
local function parts_of(base, args, from)
  local all = {}
  for i = from, #args, 5 do
    local it = stored_series(base, args[i], args[i + 1])
    all[#all + 1] = {series = it, token = args[i + 2], points = args[i + 3], sums = args[i + 4]}
  end
  return all
end

-- Make ready for series to come whose users' entries are under other bases. A mark is set for each, with a token that
-- its entry must carry; only who shows the mark's token may create it, and a delete takes the mark away. So nobody
-- creates a series whose entry a delete has read before, and may remove. Returns pairs of place and token.
local function marks(all, epoch)
  local missing = {}
  for place_of, part in ipairs(all) do
    local it = part.series
    if it.count == 0 and it.packed ~= part.token then
      if not it.packed then
        it.packed = epoch
        call('HSET', device_key(it.base, it.device), it.user, epoch)
        call('SADD', it.base .. 'D', it.device)
      end
      missing[#missing + 1] = place_of - 1
      missing[#missing + 1] = it.packed
    end
  end
  return missing
end

-- Args: a new epoch, '1' if entries of users are under the same base, points and series that there may be under the
-- base, then device, user, token, points, sums of each series. Adds all or nothing. Returns duplicates, where it stopped
-- to look for them, of what there would be too many, marks: if there are any, nothing was added. And how many points and
-- series there are.
local function add(keys, args)
  local base, epoch, here = keys[1], args[1], args[2] == '1'
  local all = parts_of(base, args, 5)
  local found, stopped = duplicates(all)
  local points, series = counted(base)
  if #found > 0 or #stopped > 0 then return {found, stopped, '', {}, points, series} end
  local more_points, more_series = brought(all, #all)
  if points + more_points > tonumber(args[3]) then return {{}, {}, 'points', {}, points, series} end
  if more_series > 0 and series + more_series > tonumber(args[4]) then
    return {{}, {}, 'series', {}, points, series}
  end
  if not here then
    local missing = marks(all, epoch)
    if #missing > 0 then return {{}, {}, '', missing, points, series} end
  end
  for _, part in ipairs(all) do
    local it = part.series
    if it.count == 0 then
      it.epoch = unpack_from('<d', here and epoch or part.token)
      if here then
        enter(base, it.user, it.device, epoch)
        call('SADD', base .. 'D', it.device)
      end
    end
    grow(it, part.points, part.sums, part.late)
  end
  count_points(base, more_points, more_points)
  return {{}, {}, '', {}, points + more_points, series + more_series}
end

-- Args: device, user, token, points, sums of each series. Returns their duplicates and where it stopped to look for
-- them, how many of the series before are not there, and how many points and series there are. Adds nothing.
local function check(keys, args)
  local all = parts_of(keys[1], args, 1)
  local found, stopped = duplicates(all)
  local _, more = brought(all, stopped[1] or #all)
  return {found, stopped, more, counted(keys[1])}
end

-- Args: device, user, token of series that were to be created. Takes away their marks; returns 1 for each that still
-- was there, 0 else.
local function unmark(keys, args)
  local base, answers = keys[1], {}
  for i = 1, #args, 3 do
    local key = device_key(base, args[i])
    local there = call('HGET', key, args[i + 1]) == args[i + 2]
    if there then
      call('HDEL', key, args[i + 1])
      forget_if_empty(base, args[i])
    end
    answers[#answers + 1] = there and 1 or 0
  end
  return answers
end

-- Args: '1' as for add, a time, then device and user of some series, or none: those that begin before it, some of them.
-- Forgets points before that time, in steps. Returns whether there may be more, and user, device and token of each
-- series of which nothing is left.
local function cut_all(keys, args)
  local base, here, oldest, gone, pages, dropped = keys[1], args[1] == '1', tonumber(args[2]), 0, 0, {}
  local names = {unpack(args, 3)}
  if #names == 0 then
    for _, name in ipairs(call('ZRANGEBYSCORE', base .. 'F', '-inf', '(' .. args[2], 'LIMIT', 0, SWEPT)) do
      names[#names + 1], names[#names + 2] = name:match('^(.-)\31(.*)$')
    end
  end
  for i = 1, #names, 2 do
    local it = stored_series(base, names[i], names[i + 1])
    if it.count > 0 and it.first < oldest then
      local points, used = cut(it, oldest, here, dropped)
      gone, pages = gone + points, pages + used
      if pages >= CUT_PAGES then break end
    end
  end
  if gone > 0 then count_points(base, -gone, 0) end
  return {(pages >= CUT_PAGES or #names == 2 * SWEPT) and 1 or 0, dropped}
end

-- Args: '1' as for add, then device and user of each series, or no user for all of the device's. Forgets them.
local function delete(keys, args)
  local base, here, count = keys[1], args[1] == '1', 0
  for i = 2, #args, 2 do
    local device, user = args[i], args[i + 1]
    if user == '' then
      count = count + drop_device(base, device, here)
    else
      count = count + drop(base, device, user, call('HGET', device_key(base, device), user), here)
      forget_if_empty(base, device)
    end
  end
  count_points(base, -count, 0)
  return count
end

-- Args: user, device, token of each entry.
local function enter_all(keys, args)
  for i = 1, #args, 3 do enter(keys[1], args[i], args[i + 1], args[i + 2]) end
end

local function leave_all(keys, args)
  for i = 1, #args, 3 do leave(keys[1], args[i], args[i + 1], args[i + 2]) end
end

-- Args: 'd' or 'u', then a device and a user, or a user and a device, or no second for all there are. Returns for each
-- a list of second, value: figures and marks of a device's series, tokens of a user's entries.
local function look(keys, args)
  local answers = {}
  for i = 2, #args, 2 do
    local key, field = keys[1] .. args[1] .. args[i], args[i + 1]
    answers[#answers + 1] = field == '' and call('HGETALL', key) or {field, call('HGET', key, field) or ''}
  end
  return answers
end

-- Args: users whose entries and series are under one base. Returns for each a list of device, figures.
local function look_through(keys, args)
  local base, answers = keys[1], {}
  for i, user in ipairs(args) do
    local answer = call('HKEYS', user_key(base, user))
    for place_of = #answer, 1, -1 do
      local device = answer[place_of]
      answer[2 * place_of] = call('HGET', device_key(base, device), user) or ''
      answer[2 * place_of - 1] = device
    end
    answers[i] = answer
  end
  return answers
end

-- Pages of a column from `start` on, the key from which to read on if there is more before `stop`, and how many
-- pages these were. Whole ones; but only rows from `start` on, and not more than so many, where `rows` says how many.
local function read_column(col, start, stop, rows, limit)
  local names = pages_in(col, start, stop, limit < 0 and -1 or limit + 1)
  local used = limit < 0 and #names or math.min(#names, limit)
  local pages, width = {}, col.width
  for i = 1, used do
    local page = call('GET', page_key(col, names[i]))
    if rows > 0 then
      local all, from = #page / width, i == 1 and lower(page, width, start, 0) or 0
      if from + rows < all then
        pages[i] = slice(page, width, from, from + rows)
        return pages, decimal(key_of(page, width, from + rows)), i
      end
      pages[i] = slice(page, width, from, all)
      rows = rows - (all - from)
      if rows == 0 then return pages, names[i + 1] or '', i end
    else
      pages[i] = page
    end
  end
  return pages, names[used + 1] or '', used
end

-- Args: 'd' or 'u', a device or a user whose series are under one base, then start and stop of quarter-hours, and pages
-- of these to send at most. Returns for each series its other name, figures, pages, from where to read on.
local function open(keys, args)
  local base, by_device, key = keys[1], args[1] == 'd', args[2]
  local start, stop, left = tonumber(args[3]), tonumber(args[4]), tonumber(args[5])
  local answers = {}
  for _, other in ipairs(call('HKEYS', by_device and device_key(base, key) or user_key(base, key))) do
    local it = stored_series(base, by_device and key or other, by_device and other or key)
    if it.count > 0 then
      local pages, following = {}, args[3]
      if it.first >= stop * QUARTER_HOUR or it.last < start * QUARTER_HOUR then
        following = ''
      elseif left > 0 then
        local used
        pages, following, used = read_column(it.s, start, stop, 0, left)
        left = left - used
      end
      answers[#answers + 1] = {other, it.packed, pages, following}
    end
  end
  return answers
end

-- Args: 'p' or 's', stop, rows of each series at most (0: all), pages of all series at most (-1: all), then device,
-- user and start of each. Returns for each {figures, pages, from where to read on}; the answer
-- ends early where there are enough pages.
local function read(keys, args)
  local base, letter, stop, rows, left = keys[1], args[1], tonumber(args[2]), tonumber(args[3]), tonumber(args[4])
  local answers = {}
  for i = 5, #args, 3 do
    if left == 0 then break end
    local it = stored_series(base, args[i], args[i + 1])
    if it.count == 0 then
      answers[#answers + 1] = {'', {}, ''}
    else
      local limit = rows > 0 and math.min(left, ceil(rows * it[letter].width / LENGTHS[letter]) + 1) or left
      local pages, following, used = read_column(it[letter], tonumber(args[i + 2]), stop, rows, limit)
      answers[#answers + 1] = {it.packed, pages, following}
      if left > 0 then left = left - used end
    end
  end
  return answers
end

-- The times before and not before a time in a series; -1 where there is none.
local function around(it, time)
  local col, before, after = it.p, -1, -1
  if it.count == 0 then return before, after end
  local bound, beyond = place(col, time)
  local page = call('GET', page_key(col, bound))
  local row = lower(page, col.width, time, 0)
  if row < #page / col.width then
    after = key_of(page, col.width, row)
  elseif beyond then
    after = (unpack_from('<d', call('GETRANGE', page_key(col, beyond), 0, 7)))
  end
  if row > 0 then
    before = key_of(page, col.width, row - 1)
  elseif bound ~= '0' then
    local previous = call('ZREVRANGEBYSCORE', col.key, '(' .. bound, '-inf', 'LIMIT', 0, 1)[1]
    before = (unpack_from('<d', call('GETRANGE', page_key(col, previous), -col.width, -1)))
  end
  return before, after
end

-- Args: a time, then device and user of each series. Returns the last time before it and the first not before it.
local function neighbours(keys, args)
  local before, after = -1, -1
  for i = 2, #args, 2 do
    local one, other = around(stored_series(keys[1], args[i], args[i + 1]), tonumber(args[1]))
    before = math.max(before, one)
    if other >= 0 and (after < 0 or other < after) then after = other end
  end
  return {before, after}
end

-- Args: 'D' or 'U', a cursor, a number. Returns the next cursor and about so many devices or users.
local function names(keys, args)
  return call('SSCAN', keys[1] .. args[1], args[2], 'COUNT', args[3])
end

-- Returns the numbers of devices, users, series, points, and points ever added.
local function totals(keys)
  local base = keys[1]
  local points, series = counted(base)
  return {call('SCARD', base .. 'D'), call('SCARD', base .. 'U'), series, points,
    tonumber(call('HGET', base .. 'C', 'added') or 0)}
end

-- Forgets some devices, then some users. Returns whether there may be more.
local function clear(keys)
  local base = keys[1]
  local devices = call('SRANDMEMBER', base .. 'D', STEP)
  for _, device in ipairs(devices) do count_points(base, -drop_device(base, device, false), 0) end
  if #devices > 0 then return 1 end
  local users = call('SPOP', base .. 'U', STEP)
  for i, user in ipairs(users) do users[i] = user_key(base, user) end
  unlink(users)
  return #users > 0 and 1 or 0
end

local function register(name, callback, flags)
  redis.register_function{
    function_name = 'datapoints_' .. name .. version,
    flags = flags,
    callback = function(keys, args)
      call, pack, unpack_from = redis.call, struct.pack, struct.unpack
      sub, format, floor, ceil = string.sub, string.format, math.floor, math.ceil
      return callback(keys, args)
    end,
  }
end

-- What only removes may be done where the memory is full: it makes room.
local WRITES, REMOVES, READS = {}, {'allow-oom'}, {'no-writes'}
register('add', add, WRITES)
register('enter', enter_all, WRITES)
register('cut', cut_all, REMOVES)
register('delete', delete, REMOVES)
register('leave', leave_all, REMOVES)
register('unmark', unmark, REMOVES)
register('clear', clear, REMOVES)
register('check', check, READS)
register('look', look, READS)
register('open', open, READS)
register('look_through', look_through, READS)
register('read', read, READS)
register('neighbours', neighbours, READS)
register('names', names, READS)
register('totals', totals, READS)
