"""Static files for `make serve`: collected once, under names that hold a hash of their content, and compressed.

So browsers may keep them for a year and never ask again. The folder is in the user's cache directory, beside the
machine code of the kernels, and its name holds a hash of all that goes into it: another version has another folder.
Elsewhere (`runserver`, tests) STATIC_ROOT is empty, and the files are served from where they lie.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
_NAME = "timeseries-statistics"
#: Packages that bring static files, or decide on the names and forms of collected ones.
_PACKAGES = ("chartkick", "django", "djangorestframework", "drf-spectacular-sidecar", "whitenoise")
#: What Django writes last but for the compressed copies.
_MANIFEST = "staticfiles.json"
#: What nobody asks for: another viewer of OpenAPI schemas.
_UNUSED = ("redoc",)


def sources() -> Path:
    """Return the folder of our own static files: beside the packages in the repository, or within this one if built."""
    packed = HERE.parent / "files" / "static"
    return packed if packed.is_dir() else HERE.parents[1] / "static"


def fingerprint() -> str:
    """Return a hash of everything that the collected files depend on."""
    digest = hashlib.sha256(" ".join(f"{name} {version(name)}" for name in _PACKAGES).encode())
    for path in sorted(path for path in (*sources().rglob("*"), *HERE.glob("*.py")) if path.is_file()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def is_complete(folder: Path) -> bool:
    """Whether a folder holds collected files."""
    return (folder / _MANIFEST).is_file()


def _places() -> Iterator[Path]:
    if named := os.environ.get("XDG_CACHE_HOME"):
        yield Path(named) / _NAME
    with suppress(RuntimeError):  # a user without a home
        yield Path("~/.cache").expanduser() / _NAME


def folder(later: ExitStack) -> Path:
    """Return where the files are collected: in the first place that can be written, else in one that goes `later`."""
    name = f"static-{fingerprint()}"
    for place in _places():
        if is_complete(place / name):
            return place / name
        with suppress(OSError):
            place.mkdir(parents=True, exist_ok=True)
            if os.access(place, os.W_OK):
                return place / name
    place = Path(tempfile.mkdtemp(prefix=f"{_NAME}-"))
    later.callback(shutil.rmtree, place, ignore_errors=True)
    return place / name


def succeeding(previous: Path, later: ExitStack) -> Path:
    """Return where the files are collected by a program that takes the place of one that had them in `previous`."""
    if previous.parent not in _places():  # one that goes, as nobody else knows it
        later.callback(shutil.rmtree, previous.parent, ignore_errors=True)
    is_the_same = previous.name == f"static-{fingerprint()}" and is_complete(previous)
    return previous if is_the_same else folder(later)


def collect(folder: Path, later: ExitStack) -> None:
    """Collect all static files in a folder, unless it has them; whoever looks there sees all or none of them.

    What is left of a failure, or where a signal ends the process, goes `later`.
    """
    if is_complete(folder):
        return
    import django
    from django.contrib.staticfiles.management.commands.collectstatic import Command
    from django.core.management import call_command

    from timeseries_project.web.static_files import CollectedFiles

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timeseries_project.settings")
    django.setup(set_prefix=False)

    # For whoever waits: it takes some seconds, and nothing else is said meanwhile.
    print("Collecting, once: static files under hashed names …", file=sys.stderr, flush=True)  # noqa: T201
    place = Path(tempfile.mkdtemp(prefix="collecting-", dir=folder.parent))
    later.callback(shutil.rmtree, place, ignore_errors=True)
    command = Command()
    command.storage = CollectedFiles(location=place)
    call_command(command, interactive=False, verbosity=0, ignore_patterns=list(_UNUSED))
    place.chmod(0o755)
    try:
        place.rename(folder)
    except OSError:  # another process was faster
        if not is_complete(folder):
            raise
