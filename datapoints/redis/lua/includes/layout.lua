--- Names and shapes of what is stored.
--
-- All keys begin with a base, the one key of every call: the same on one node, that of a stripe in a cluster.
--   base D, base U             sets of all devices and of all users
--   base F                     sorted set of all series, DEVICE \31 USER, by the time of their first point
--   base C                     hash: points stored, points ever added
--   base d DEVICE              hash: user -> the series' figures, or 8 bytes: the mark of a series to come
--   base u USER                hash: device -> token: where this user has series
--   base p DEVICE \31 USER     the directory of a column's blocks, once there are several: a sorted set of bounds
--   ... \31 BOUND              a block: its rows have keys from its bound up to that of the next one
-- A column is a list of rows of doubles, ascending by the first, the key. Each series has two of them: its points
-- (time, value), and under s in place of p the sums of its quarter-hours (number, count, high, low).
--- @include builtins

-- The two kinds of rows (see rows.lua); a block that has grown to `block` bytes in order is full. What comes late may
-- double it before it is divided.
local POINTS = {key = '<d', width = 16, block = POINTS_BLOCK}
local SUMS = {key = '<d', width = 32, block = SUMS_BLOCK}
-- count, late, first, last, epoch; then of points and of sums: bound of the last block, rows in it, blocks.
local FIGURES = '<I4I4ddddI2I4I4I2I4'
local MARK_LENGTH = 8

-- A number without exponent, as it stands in names of blocks.
local function decimal(number)
  return format('%.0f', number)
end

local function device_key(base, device)
  return base .. 'd' .. device
end

local function user_key(base, user)
  return base .. 'u' .. user
end
