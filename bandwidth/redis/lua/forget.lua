--- Forgets all markers.
--
-- KEYS    listings: the set of markers
-- Answer  OK
-- Cost    O(1); the server frees the memory in the background
--- @include command

command('bandwidth_forget', REMOVES, function(keys)
  call('UNLINK', keys[1])
  return 'OK'
end)
