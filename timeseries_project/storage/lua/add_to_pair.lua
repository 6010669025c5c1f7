--- A running sum of doubles, kept as a pair of doubles, high + low, so that hardly anything is lost to rounding.

-- Add a double to a pair; return the new high and low. Bit for bit the same as add_to_pair in summation.py. O(1)
local function add_to_pair(high, low, x)
  local s = high + x
  local t = s - high
  local v = low + ((high - (s - t)) + (x - t))
  local total = s + v
  return total, v - (total - s)
end
