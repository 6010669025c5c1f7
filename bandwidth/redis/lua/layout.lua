--- Tells the layout of a stripe, whichever it is.
--
-- KEYS    any key of the stripe
-- Answer  its version; 'FROM>TO' and a cursor while a step is under way
-- Cost    O(1)
--- @include command
--- @include layout_version

command('bandwidth_layout', TELLS, function(keys)
  return (layout_of(keys[1]))
end)
