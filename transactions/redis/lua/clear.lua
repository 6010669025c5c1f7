--- Forgets all values of a stripe.
--
-- KEYS    the stripe
-- Answer  1, or 0 if there were none
-- Cost    O(1); the server frees the memory in the background
--- @include command
--- @include ring

command('transactions_clear', REMOVES, function(keys)
  return min(call('UNLINK', keys[1], list_of(keys[1])), 1)
end)
