"""Returning freed memory to the operating system, where the C library can be told to (glibc). Knows no framework."""

from __future__ import annotations

import ctypes
import sys
from typing import Any


def _find() -> Any:
    """Return the C library's `malloc_trim`; None where it has none, as musl and macOS have."""
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


_trim = _find()


def return_freed() -> None:
    """Return all freed pages to the operating system. Takes about 0.1 ms per megabyte; other threads run meanwhile.

    By itself the library returns only the end of a heap: one small block that is still in use, such as garbage that
    has not been collected yet, keeps hundreds of freed megabytes below it in the process.

    >>> return_freed()
    """
    if _trim is not None:
        _trim(0)
