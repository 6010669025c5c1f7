--- Rows of equal width in one string. Each begins with its key, a number; the rows ascend by key.
--
-- Rows are counted from 0. A table describes a kind of rows: `key` is the struct format of the key, `width` the bytes
-- of a row.
--- @include builtins

-- The key of a row. O(1)
local function key_of(rows, kind, row)
  return (unpack_from(kind.key, rows, row * kind.width + 1))
end

-- The rows from row `from` to before row `to`.
local function slice(rows, kind, from, to)
  return sub(rows, from * kind.width + 1, to * kind.width)
end

-- The first row, not before row `low`, whose key is `key` or more; the number of rows where there is none. O(log rows)
local function first_from(rows, kind, key, low)
  local key_format, width = kind.key, kind.width
  local high = #rows / width
  while low < high do
    local middle = floor((low + high) / 2)
    if (unpack_from(key_format, rows, middle * width + 1)) < key then low = middle + 1 else high = middle end
  end
  return low
end
