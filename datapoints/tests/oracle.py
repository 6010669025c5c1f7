"""Statistics by brute force in exact arithmetic: what every answer is held against.

Buckets are a dictionary from number to the values in it, in the order of time. An unknown value is None.
"""

from __future__ import annotations

import math
from fractions import Fraction

from datapoints.statistics import Fill

Exact = Fraction | None


def bound(exact: Fraction, largest: float) -> Fraction:
    """How far an answer may lie from the exact result; no double is nearer to zero than 2**-1074."""
    return max(abs(exact), Fraction(largest)) / 2**50 + Fraction(1, 2**1074)


def is_right(answer: float, exact: Exact, largest: float) -> bool:
    """Whether an answer is the exact result within the bound; NaN answers None."""
    if exact is None or math.isnan(answer):
        return exact is None and math.isnan(answer)
    return abs(Fraction(answer) - exact) <= bound(exact, largest)


def averages(buckets: dict[int, list[float]]) -> dict[int, Fraction]:
    """The exact average of each non-empty bucket."""
    return {number: sum(map(Fraction, values)) / len(values) for number, values in buckets.items()}


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
                value = known[before] + (known[after] - known[before]) * share
            rows.append((number, value))
    return rows


def moving(rows: list[tuple[int, Exact]], size: int, min_periods: int) -> list[tuple[int, Exact]]:
    """The mean of the known values among the last `size` rows, if there are at least `min_periods`."""
    answer: list[tuple[int, Exact]] = []
    for i, (number, _) in enumerate(rows):
        window = [value for _, value in rows[max(0, i - size + 1) : i + 1] if value is not None]
        answer.append((number, sum(window) / len(window) if len(window) >= min_periods else None))
    return answer
