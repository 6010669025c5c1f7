"""Statistics by brute force in exact arithmetic: what every answer is held against.

Buckets are a dictionary from number to the values in it, in the order of time. An unknown value is None. Each result is
the double nearest to the exact one, as a fraction, so that what is made of it can be exact again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

from datapoints.statistics import Fill

Exact = Fraction | None


def nearest(exact: Fraction) -> Fraction:
    """The double nearest to a number, of two the even one."""
    return Fraction(float(exact))


def listed(answers: Iterable[float]) -> list[float | None]:
    """Answers as a list that can be compared with exact ones; NaN stands for no value. None is a negative zero."""
    found = [None if math.isnan(answer) else float(answer) for answer in answers]
    assert "-0.0" not in map(repr, found)
    return found


def total(values: Iterable[float]) -> Fraction:
    """The sum of values."""
    return nearest(sum(map(Fraction, values), Fraction()))


def average(values: list[float]) -> Fraction:
    """The mean of values."""
    return nearest(sum(map(Fraction, values), Fraction()) / len(values))


def averages(buckets: dict[int, list[float]]) -> dict[int, Fraction]:
    """The average of each non-empty bucket."""
    return {number: average(values) for number, values in buckets.items()}


def filled(known: dict[int, Fraction], last: int, fill: Fill) -> list[tuple[int, Exact]]:
    """Every bucket from the first known one to `last`, with what stands in the empty ones."""
    numbers = sorted(known)
    rows: list[tuple[int, Exact]] = []
    for number in range(numbers[0], last + 1):
        before = max(n for n in numbers if n <= number)
        after = min((n for n in numbers if n >= number), default=None)
        if number in known:
            rows.append((number, known[number]))
        elif fill is Fill.NULL:
            rows.append((number, None))
        elif fill is Fill.ZERO:
            rows.append((number, Fraction(0)))
        elif fill is Fill.PREVIOUS:
            rows.append((number, known[before]))
        elif fill is Fill.LINEAR:
            value = None
            if after is not None:
                share = Fraction(number - before, after - before)
                value = nearest(known[before] + (known[after] - known[before]) * share)
            rows.append((number, value))
    return rows


def moving(rows: list[tuple[int, Exact]], size: int, min_periods: int) -> list[tuple[int, Exact]]:
    """The mean of the known values among the last `size` rows, if there are at least `min_periods`."""
    answer: list[tuple[int, Exact]] = []
    for i, (number, _) in enumerate(rows):
        window = [value for _, value in rows[max(0, i - size + 1) : i + 1] if value is not None]
        enough = len(window) >= min_periods
        answer.append((number, nearest(sum(window, Fraction()) / len(window)) if enough else None))
    return answer
