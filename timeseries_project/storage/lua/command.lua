--- Registration of commands.
--- @include builtins

local WRITES = {}
local READS = {'no-writes'}
-- Commands that only remove data also run when the memory is full, since they make room.
local REMOVES = {'allow-oom'}

-- Register a server function under a name with the library's version. `run` is called with two lists: keys, arguments.
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
