--- The steps from each layout of a stripe to the next: none, the first is the only one. See upgrading.lua.

local STEPS = {}
