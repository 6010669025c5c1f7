--- A sum of doubles that loses nothing, kept as two of them: high + low.

-- Add a double to such a sum; return the new high and low. As add_to_pair of summation.py, bit for bit. O(1)
local function add_to_pair(high, low, x)
  local s = high + x
  local t = s - high
  local v = low + ((high - (s - t)) + (x - t))
  local total = s + v
  return total, v - (total - s)
end
