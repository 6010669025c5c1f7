--- Short names for functions of Redis and Lua.
--
-- Redis hides these while it loads a library, so the first call of a function fetches them; see command.lua. Locals are
-- faster than a look-up in their tables.

local call, pack, unpack_from
local ceil, floor, max, min
local concat, find, format, rep, sub

local function fetch_builtins()
  call, pack, unpack_from = redis.call, struct.pack, struct.unpack
  ceil, floor, max, min = math.ceil, math.floor, math.max, math.min
  concat, find, format, rep, sub = table.concat, string.find, string.format, string.rep, string.sub
end
