"""The addresses of static files."""

from __future__ import annotations

from django.contrib.staticfiles.storage import StaticFilesStorage

from timeseries_project.api.prefix import address


class PrefixedUrls:
    """Puts the prefix of the present request before the address of a static file; STATIC_URL has none."""

    def url(self, *args: object, **kwargs: object) -> str:
        """Return the address of a file."""
        return address(super().url(*args, **kwargs))  # type: ignore[misc]  # of the storage beside it


class StaticFiles(PrefixedUrls, StaticFilesStorage):
    """Django's storage of static files, with prefixed addresses."""
