--- Brings a stripe one portion nearer to the layout of this library, or notes it if that is not yet done.
--
-- KEYS    any key of the stripe
-- Answer  the layout that the stripe then has: see layout.lua
-- Cost    a portion of a step, some milliseconds at most
--- @include command
--- @include steps
--- @include upgrading

command('datapoints_upgrade', UPGRADES, function(keys)
  return upgrade(keys[1], STEPS)
end)
