"""The settings that every request reads, looked up once: a look-up in Django's lazy settings runs Python code."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from django.conf import settings
from django.core.signals import setting_changed

from timeseries_project.env import Rate


class Configuration(NamedTuple):
    """Settings of the running service."""

    tokens: tuple[str, ...]
    tokens_for_reads: bool
    rate_limit: Rate | None
    hosts: tuple[str, ...]
    cors_origins: tuple[str, ...]
    trusted_proxies: int
    hsts_seconds: int
    log_requests: str
    max_body_bytes: int
    storage: Any


@lru_cache(maxsize=1)
def configuration() -> Configuration:
    """Return the settings; read anew after Django's `setting_changed`, by which tests announce a change."""
    return Configuration(
        tokens=tuple(settings.API_TOKENS),
        tokens_for_reads=settings.API_TOKENS_FOR_READS,
        rate_limit=settings.RATE_LIMIT,
        hosts=tuple(settings.ALLOWED_HOSTS),
        cors_origins=settings.CORS_ORIGINS,
        trusted_proxies=settings.TRUSTED_PROXIES,
        hsts_seconds=settings.SECURE_HSTS_SECONDS,
        log_requests=settings.LOG_REQUESTS,
        max_body_bytes=settings.MAX_BODY_BYTES,
        storage=settings.STORAGE,
    )


def _forget(**_: object) -> None:
    configuration.cache_clear()


setting_changed.connect(_forget)
