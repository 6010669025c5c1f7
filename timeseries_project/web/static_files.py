"""The names and addresses of static files."""

from __future__ import annotations

from typing import Any

from django.contrib.staticfiles.storage import StaticFilesStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage

from timeseries_project.api.prefix import address
from timeseries_project.web.collecting import sources

#: An import of one of our scripts by another one: the pattern, and what is written in its place.
_IMPORT = (r"""(?P<matched>from "(?P<url>\.\.?/[^"]+)")""", 'from "%(url)s"')


class PrefixedUrls:
    """Puts the prefix of the present request before the address of a static file; STATIC_URL has none."""

    def url(self, *args: object, **kwargs: object) -> str:
        """Return the address of a file."""
        return address(super().url(*args, **kwargs))  # type: ignore[misc]  # of the storage beside it


class StaticFiles(PrefixedUrls, StaticFilesStorage):
    """Django's storage of static files, with prefixed addresses."""


class CollectedFiles(PrefixedUrls, CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # without type hints
    """WhiteNoise's storage of files under names that hold a hash of their content, and of gzip copies of them.

    Imports of our own scripts name the hashed files too. Django can rewrite the imports of all scripts, but fails at
    those that a package has in comments.
    """

    patterns: Any = (
        *CompressedManifestStaticFilesStorage.patterns,
        *((path.relative_to(sources()).as_posix(), (_IMPORT,)) for path in sources().rglob("*.js")),
    )
