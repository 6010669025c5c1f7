--- Registration of commands.
--- @include builtins
--- @include layout_version

local WRITES = {}
local READS = {'no-writes'}
-- Commands that only remove data also run when the memory is full, since they make room.
local REMOVES = {'allow-oom'}
-- These two run on every layout; all others only on their library's. An upgrade must be possible in a full memory, too.
local TELLS = {'no-writes'}
local UPGRADES = {'allow-oom'}

-- Register a server function under a name with the library's version. `run` is called with two lists: keys, arguments.
-- It is not called, and nothing read or written, if the stripe has another layout than the library.
local function command(name, flags, run)
  local at_any = flags == TELLS or flags == UPGRADES
  redis.register_function{
    function_name = name .. VERSION,
    flags = flags,
    callback = function(keys, args)
      if not call then fetch_builtins() end
      local found = at_any and LAYOUT or layout_of(keys[1])
      if found ~= LAYOUT then return redis.error_reply('LAYOUT ' .. found) end
      return run(keys, args)
    end,
  }
end
