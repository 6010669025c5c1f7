--- Registration of commands.
--- @include builtins

local WRITES = {}
local READS = {'no-writes'}
-- Commands that only remove run when the memory is full too: they make room.
local REMOVES = {'allow-oom'}

-- Register a function of the server under a name and the library's version. `run` gets lists of keys and arguments.
local function command(name, flags, run)
  redis.register_function{
    function_name = name .. VERSION,
    flags = flags,
    callback = function(keys, args)
      if not call then fetch_builtins() end
      return run(keys, args)
    end,
  }
end
