--- The layout of a stripe: which version its keys have, in a key beside them that every function checks.
--
--   {TAG}:layout   "2"; while a step from 2 to 3 is under way "2>3", and where it goes on: "2>3 CURSOR"
-- Without the key the layout is the first: it was there before its number was.
--- @include builtins

-- Return the key that holds the layout of the stripe to which a key belongs; nil for a key of no stripe.
local function layout_key(key)
  local stop = find(key, '}', 1, true)
  return stop and sub(key, 1, stop) .. ':layout'
end

-- Return the layout of the stripe of a key, and the key that holds it.
local function layout_of(key)
  local place = layout_key(key)
  return place and call('GET', place) or '1', place
end
