--- Running sums of doubles: a pair, high + low, and a bound on its distance from the exact sum.
--
-- The bound, `error`, is 0 as long as the pair is the exact sum. Everything here is bit for bit the same as in
-- rounding_kernels.py, which says more.

-- Return the rounded sum of two doubles and what it lacks. O(1)
local function two_sum(a, b)
  local s = a + b
  local t = s - a
  return s, (a - (s - t)) + (b - t)
end

-- Return a double that is not less than the exact sum of two bounds. O(1)
local function add_bounds(a, b)
  return (a + b) * (1 + 2^-51)
end

-- Add a double to a sum; return the new high, low and error. O(1)
local function add_to_sum(high, low, error, x)
  local s, rest = two_sum(high, x)
  local part, lost = two_sum(low, rest)
  local total = s + part
  if lost ~= 0 then error = add_bounds(error, lost < 0 and -lost or lost) end
  return total, part - (total - s), error
end

-- Add another sum to a sum; return the new high, low and error. O(1)
local function add_sums(high, low, error, other_high, other_low, other_error)
  high, low, error = add_to_sum(high, low, error, other_high)
  high, low, error = add_to_sum(high, low, error, other_low)
  if other_error ~= 0 then error = add_bounds(error, other_error) end
  return high, low, error
end
