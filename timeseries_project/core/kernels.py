"""Kernels: hot loops over numbers, written as plain Python and compiled to machine code by Numba.

A kernel works on NumPy arrays in ordinary signed integers and doubles. It allocates nothing and cannot fail; whatever
can fail is done before it is called. It releases the interpreter's lock, so other threads run meanwhile. Without
compilation (`NUMBA_DISABLE_JIT=1`) it is the Python function that it looks like, and gives the same results.

Kernels live in modules whose names end in `kernels`. Their machine code is kept in a directory named by a hash of all
of these modules, because Numba itself would not notice that a kernel in another module has changed. The directory is
in `NUMBA_CACHE_DIR`, else in the user's cache directory. One that is there already may be read-only, as in an image.
Where neither can be written, kernels are compiled at each start. Knows no framework.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.ma  # Numba would do so with the first call of a kernel: a process forked meanwhile would wait for ever
from numba.core import config
from numba.core.caching import UserProvidedCacheLocator

Function = TypeVar("Function", bound=Callable[..., Any])

logger = logging.getLogger(__name__)
_settings: Any = config  # its names are made when it is imported, so no checker knows them

ROOT = Path(__file__).resolve().parents[2]
_NAME = "timeseries-statistics"
_EACH_START = "kernels are compiled at each start."


def sources() -> list[Path]:
    """Return the modules that hold kernels, this one included, in a fixed order.

    >>> "kernels.py" in [path.name for path in sources()]
    True
    """
    found = [
        path
        for place in ("timeseries_project/*", "*", "*/memory", "*/influx")
        for path in ROOT.glob(f"{place}/*kernels.py")
    ]
    return sorted(path for path in found if path.parent.name != "tests")


def fingerprint() -> str:
    """Return a hash of everything that the machine code depends on: kernels, compiler versions, and bounds checks.

    >>> len(fingerprint())
    16
    """
    versions = f"{numba.__version__} {np.__version__} {sys.version} {_settings.BOUNDSCHECK}"
    digest = hashlib.sha256(versions.encode())
    for path in sources():
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _candidates() -> Iterator[Path]:
    if named := os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(named)
    if named := os.environ.get("XDG_CACHE_HOME"):
        yield Path(named) / _NAME
    with suppress(RuntimeError):  # a user without a home
        yield Path("~/.cache").expanduser() / _NAME


def _cache_directory() -> Path | None:
    """Return the directory of the machine code, made if need be; None if there is no place that can be written."""
    for place in _candidates():
        directory = place / f"kernels-{fingerprint()}"
        if directory.is_dir():
            return directory
        try:
            directory.mkdir(parents=True)
        except OSError:
            continue
        # For whoever waits: it takes some seconds, and nothing else is said meanwhile.
        print("Compiling, once: machine code for the kernels …", file=sys.stderr, flush=True)  # noqa: T201
        return directory
    logger.warning(f"Nothing can be written to NUMBA_CACHE_DIR or the user's cache: {_EACH_START}")
    return None


class ReadOnlyLocator(UserProvidedCacheLocator):
    """Lets Numba read a directory that cannot be written, which it would else pass over."""

    def ensure_cache_path(self) -> None:
        """Write nothing. What is not found is compiled; to keep it fails then."""


#: Whether kernels are compiled; else they run as plain Python, which is slow and easy to follow in a debugger.
COMPILED = not _settings.DISABLE_JIT
DIRECTORY = _cache_directory() if COMPILED else None
_KEPT = frozenset(sources())  # looked for once, not for each kernel
_cannot_keep: list[OSError] = []  # why no more kernels are kept
if DIRECTORY is not None:
    _settings.CACHE_DIR = str(DIRECTORY)
    if not os.access(DIRECTORY, os.W_OK):
        _settings.CACHE_LOCATOR_CLASSES = f"{__name__}.{ReadOnlyLocator.__name__}"


def kernel(signature: str, *, checked: bool = False) -> Callable[[Function], Function]:
    """Compile a function for one signature, as Numba writes it, when its module is imported.

    `checked` kernels look at every index before they use it and raise IndexError. Whatever reads bytes from the
    network is checked. Every kernel is where NUMBA_BOUNDSCHECK=1, as in the thorough tests.

    >>> @kernel("int64(int64[::1])")
    ... def total(numbers):
    ...     result = 0
    ...     for number in numbers:
    ...         result += number
    ...     return result
    >>> int(total(np.arange(5)))
    10
    """

    def compiled(function: Function) -> Function:
        if not COMPILED:
            return function
        # What the environment asks for must not be switched off here.
        bounds = {"boundscheck": True} if checked else {}
        # Kernels allocate nothing: without the counting of references to their arrays they take a quarter of the time.
        # By its real path, which Numba looks for: an installation behind a symbolic link is no other one.
        path = Path(function.__code__.co_filename).resolve()
        function.__code__ = function.__code__.replace(co_filename=str(path))
        options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False, **bounds}
        compile: Any = numba.njit
        if DIRECTORY is not None and path in _KEPT and not _cannot_keep:
            try:
                return cast(Function, compile(signature, cache=True, **options)(function))
            except OSError as error:
                _cannot_keep.append(error)
                logger.warning(f"{DIRECTORY} is read-only and has no machine code for this processor: {_EACH_START}")
        return cast(Function, compile(signature, **options)(function))

    return compiled


def helper(function: Function) -> Function:
    """Let kernels call a function as if it stood in them: arrays that are passed cost nothing then.

    >>> @helper
    ... def double(number):
    ...     return 2 * number
    >>> double(3)
    6
    """
    inlined: Any = numba.njit(inline="always", error_model="numpy")
    return cast(Function, inlined(function)) if COMPILED else function


def routine(*, checked: bool = False) -> Callable[[Function], Function]:
    """Let kernels call a function that is compiled once for all of them; it may look at every index before it uses it.

    For long ones: a call costs next to nothing, and compiling them into each place where they stand costs seconds.

    >>> @routine(checked=True)
    ... def last(numbers):
    ...     return numbers[len(numbers) - 1]
    >>> int(last(np.arange(5)))
    4
    """

    def compiled(function: Function) -> Function:
        if not COMPILED:
            return function
        bounds = {"boundscheck": True} if checked else {}
        options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False, **bounds}
        called: Any = numba.njit(**options)
        return cast(Function, called(function))

    return compiled
