"""Caches whose keys a stranger chooses: bounded in entries and in bytes. Plain Python; knows no framework."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def bounded_cache(
    *, entries: int, longest: int
) -> Callable[[Callable[Concatenate[str, P], R]], Callable[Concatenate[str, P], R]]:
    """Remember what a function of a text returns: at most so many results, and none of a text longer than `longest`.

    `lru_cache` bounds its entries only, and keeps keys of any length. What a result takes must be bounded by its
    text, and further arguments must be the program's own. Thread-safe; a hit costs a comparison more than
    `lru_cache` does.

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
