--- Forgets all values of a stripe.
--
-- KEYS    the stripe
-- Answer  1, or 0 if it had none
-- Cost    O(1): the server releases the memory on the side
--- @include command

command('transactions_clear', REMOVES, function(keys)
  return call('UNLINK', keys[1])
end)
