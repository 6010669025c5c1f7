--- Keys, and the formats of their values.
--
-- All keys begin with a base, the only key passed to a call: one base on one node, one for each stripe in a cluster.
--   base D, base U             sets of all devices and of all users
--   base F                     sorted set of all series, DEVICE \31 USER, by the time of their first point
--   base C                     hash: points stored, points ever added
--   base d DEVICE              hash: user -> figures of the series, or 8 bytes: the mark of a series to come
--   base u USER                hash: device -> token: the devices with which this user has series
--   base p DEVICE \31 USER     the directory of a column's blocks, once there are several: a sorted set of bounds
--   ... \31 BOUND              a block: rows with keys from its bound up to the bound of the next block
-- A column is a list of rows of doubles, ascending by the first double, the key. Each series has two columns: its
-- points (time, value), and, under s in place of p, the sums of its quarter-hours: number, count, and the sum itself as
-- high, low and error (see add_to_sum.lua).
--- @include builtins

-- The two kinds of rows (see rows.lua). A block that is filled in order is full at `block` bytes; late rows may
-- double it before it is divided.
local POINTS = {key = '<d', width = 16, block = POINTS_BLOCK}
local SUMS = {key = '<d', width = 40, block = SUMS_BLOCK}
-- count, late, corrected, first, last, epoch (see `Figures` in layout.py); then for points and for sums: bound of the
-- last block, rows in it, blocks.
local FIGURES = '<I4I4I4ddddI2I4I4I2I4'
local MARK_LENGTH = 8

-- Return a number as digits without an exponent, as in names of blocks.
local function decimal(number)
  return format('%.0f', number)
end

local function device_key(base, device)
  return base .. 'd' .. device
end

local function user_key(base, user)
  return base .. 'u' .. user
end
