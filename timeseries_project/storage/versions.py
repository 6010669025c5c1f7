"""What shared stores say when they are asked for the version of something."""

from __future__ import annotations


class Unversioned:
    """A store that tells no versions: for a shared one, each would take another call."""

    def version(self, *_: object, **__: object) -> None:
        """Return None, whatever is asked for."""
