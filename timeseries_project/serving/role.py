"""Whether this process is one that serves, or a command that merely has the apps loaded, as `manage.py check` has.

What only a server may do at its start, such as reading the snapshot that it will overwrite, asks here. The command that
serves says so before the apps are loaded.
"""

from __future__ import annotations

_serves = False


def serve_here() -> None:
    """Say that this process serves; called before Django is set up."""
    global _serves
    _serves = True


def serves() -> bool:
    """Return whether this process serves."""
    return _serves
