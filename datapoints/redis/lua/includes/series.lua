--- A series: its figures, and its columns of points and of sums.
--- @include columns

-- Return whether a value of a device's hash is the figures of a series: neither missing nor a mark.
local function exists(packed)
  return packed and #packed > MARK_LENGTH
end

-- Return the series with these figures; an empty one if there are none.
local function series_of(base, device, user, packed)
  local series = {base = base, device = device, user = user, packed = packed, count = 0, late = 0, corrected = 0}
  local p_bound, p_rows, p_blocks, s_bound, s_rows, s_blocks = 0, 0, 0, 0, 0, 0
  if exists(packed) then
    series.count, series.late, series.corrected, series.first, series.last, series.epoch,
      p_bound, p_rows, p_blocks, s_bound, s_rows, s_blocks = unpack_from(FIGURES, packed)
  end
  series.points = points_column(base, device, user, p_bound, p_rows, p_blocks)
  series.sums = sums_column(base, device, user, s_bound, s_rows, s_blocks)
  return series
end

local function stored_series(base, device, user)
  return series_of(base, device, user, call('HGET', device_key(base, device), user))
end

local function save(series)
  local p, s = series.points, series.sums
  local figures = pack(FIGURES, series.count, series.late, series.corrected, series.first, series.last,
    series.epoch, p.bound, p.rows, p.blocks, s.bound, s.rows, s.blocks)
  call('HSET', device_key(series.base, series.device), series.user, figures)
end

-- Note that what lies before the end of a series is another now: points were removed, or have other values.
local function note_correction(series)
  series.late = series.late + 1
  series.corrected = series.corrected + 1
end

-- Note the time of the first point of a series.
local function note_first(series)
  call('ZADD', series.base .. 'F', decimal(series.first), series.device .. '\31' .. series.user)
end
