--- Functions of Redis and of Lua under short names.
--
-- Redis hides them while it loads a library, so they are fetched by the first call of a function; see command.lua.
-- As locals they are found faster than through the tables that they stand in.

local call, pack, unpack_from
local ceil, floor, max, min
local concat, format, rep, sub

local function fetch_builtins()
  call, pack, unpack_from = redis.call, struct.pack, struct.unpack
  ceil, floor, max, min = math.ceil, math.floor, math.max, math.min
  concat, format, rep, sub = table.concat, string.format, string.rep, string.sub
end
