"""How collected static files are named: by a hash of their content, within our own scripts too."""

from __future__ import annotations

from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage

from timeseries_project.web.static_files import sources

#: An import of one of our scripts by another one: the pattern, and what is written in its place.
_IMPORT = (r"""(?P<matched>from "(?P<url>\.\.?/[^"]+)")""", 'from "%(url)s"')


class Storage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # without type hints
    """WhiteNoise's storage; imports of our own scripts name the hashed files too.

    Django can rewrite the imports of all scripts, but fails at those that a package has in comments.
    """

    patterns: Any = (
        *CompressedManifestStaticFilesStorage.patterns,
        *((path.relative_to(sources()).as_posix(), (_IMPORT,)) for path in sources().rglob("*.js")),
    )
