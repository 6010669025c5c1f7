"""What caches, in browsers and in between, are told about every answer but static files."""

from __future__ import annotations

from timeseries_project.api.configuration import Configuration


def headers(settings: Configuration) -> dict[str, str]:
    """Return Cache-Control and Vary, which depend on the settings only.

    Caches ask each time whether an answer is still the present one. They keep none where reads need a token: what was
    shown to one who had signed in must not be there for the next one, or by going back.
    """
    control = "private, no-store" if settings.tokens_for_reads else "no-cache"
    varies = ["Accept", "Accept-Encoding"]
    if settings.tokens:  # pages also show whether one has signed in
        varies += ["Authorization", "Cookie"]
    if settings.cors_origins not in ((), ("*",)):
        varies.append("Origin")
    return {"Cache-Control": control, "Vary": ", ".join(varies)}
