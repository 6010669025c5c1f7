--- Forgets all markers, or all spans.
--
-- KEYS    listings: the set of markers; or those of spans
-- Answer  OK
-- Cost    O(1); the server frees the memory in the background
--- @include command

command('bandwidth_forget', REMOVES, function(keys)
  call('UNLINK', unpack(keys))
  return 'OK'
end)
