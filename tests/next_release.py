"""The service as a made-up release after this one, in which datapoints have the next layout.

Its registry of series has another name and another score: the second of the first point in place of the microsecond.
Served by `python -m tests.next_release FOLDER`.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from datapoints.redis import library
from timeseries_project.storage.lua import Library

#: Series that one portion of the step takes.
PORTION = 3
STEP = """
-- To the layout after this one: moves series from the old registry to the new one.
STEPS[%d] = function(base)
  local found = call('ZRANGE', base .. 'F', 0, UPGRADED_ITEMS - 1, 'WITHSCORES')
  for i = 1, #found, 2 do
    call('ZADD', base .. 'f', floor(found[i + 1] / 1e6), found[i])
    call('ZREM', base .. 'F', found[i])
  end
  return call('EXISTS', base .. 'F') == 1 and '' or nil
end
"""


def write(folder: Path) -> Library:
    """Write the release's functions into a folder; return their library."""
    now = library.LIBRARY
    if not folder.exists():
        shutil.copytree(now.folder, folder)
        for file in folder.rglob("*.lua"):
            text = re.sub(r"\bbase \.\. 'F'", "base .. 'f'", file.read_text())
            text = text.replace(
                "decimal(series.first), series.device", "decimal(floor(series.first / 1e6)), series.device"
            )
            file.write_text(text.replace("'(' .. args[2], 'LIMIT'", "'(' .. decimal(args[2] / 1e6), 'LIMIT'"))
        with (folder / "includes" / "steps.lua").open("a") as steps:
            steps.write("--- @include builtins\n" + STEP % now.layout)
    return Library(now.name, folder, now.constants | {"UPGRADED_ITEMS": PORTION}, layout=now.layout + 1)


if __name__ == "__main__":
    library.LIBRARY = write(Path(sys.argv[1]))
    from timeseries_project import serve

    serve.main()
