"""What files need to outlive a crash of the machine. Knows no framework."""

from __future__ import annotations

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk: whoever has renamed a file into it is not done before. Raises OSError.

    >>> sync_folder(Path("."))
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
