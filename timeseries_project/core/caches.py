"""Caches whose keys clients choose, bounded in entries and in bytes. Plain Python; knows no framework."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def bounded_cache(
    *, entries: int, longest: int
) -> Callable[[Callable[Concatenate[str, P], R]], Callable[Concatenate[str, P], R]]:
    """Cache the results of a function of a text: at most `entries`, and none for texts longer than `longest`.

    `lru_cache` bounds only the number of its entries and keeps keys of any length. The size of a result must be
    bounded by that of its text, and further arguments must not come from clients. Thread-safe; a hit costs one
    comparison more than with `lru_cache`.

    >>> @bounded_cache(entries=2, longest=3)
    ... def shout(text: str) -> str:
    ...     print("computed")
    ...     return text.upper()
    >>> shout("abc"), shout("abc")
    computed
    ('ABC', 'ABC')
    >>> shout("abcd"), shout("abcd")
    computed
    computed
    ('ABCD', 'ABCD')
    """

    def decorate(function: Callable[Concatenate[str, P], R]) -> Callable[Concatenate[str, P], R]:
        remembered = lru_cache(maxsize=entries)(function)

        @wraps(function)
        def bounded(text: str, /, *args: P.args, **kwargs: P.kwargs) -> R:
            if len(text) > longest:
                return function(text, *args, **kwargs)
            return remembered(text, *args, **kwargs)  # type: ignore[arg-type]  # a signature cannot say hashable

        return bounded

    return decorate
