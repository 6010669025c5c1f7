"""Statistics by brute force in exact arithmetic: what every answer is held against.

Buckets are a dictionary from number to the values in it, in the order of time. An unknown value is None. Every result
is rounded once, to the nearest double, as Python rounds a fraction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from datapoints.statistics import Fill

Exact = float | None


def rounded(exact: Fraction) -> float:
    """The nearest double; of two the even one. There is one zero."""
    return float(exact) + 0.0


def total(values: Iterable[float]) -> float:
    """The sum of values."""
    return rounded(sum(map(Fraction, values), Fraction()))


def average(values: Sequence[float]) -> float:
    """The mean of values."""
    return rounded(sum(map(Fraction, values), Fraction()) / len(values))


def averages(buckets: dict[int, list[float]]) -> dict[int, float]:
    """The average of each non-empty bucket."""
    return {number: average(values) for number, values in buckets.items()}


def filled(known: dict[int, float], last: int, fill: Fill) -> list[tuple[int, Exact]]:
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
            rows.append((number, 0.0))
        elif fill is Fill.PREVIOUS:
            rows.append((number, known[before]))
        elif fill is Fill.LINEAR:
            value = None
            if after is not None:
                a, b = Fraction(known[before]), Fraction(known[after])
                value = rounded(a + (b - a) * Fraction(number - before, after - before))
            rows.append((number, value))
    return rows


def moving(rows: list[tuple[int, Exact]], size: int, min_periods: int) -> list[tuple[int, Exact]]:
    """The mean of the known values among the last `size` rows, if there are at least `min_periods`."""
    answer: list[tuple[int, Exact]] = []
    for i, (number, _) in enumerate(rows):
        window = [value for _, value in rows[max(0, i - size + 1) : i + 1] if value is not None]
        answer.append((number, average(window) if len(window) >= min_periods else None))
    return answer


def listed(answers: Iterable[float]) -> list[Exact]:
    """Answers as a list; NaN stands for no value."""
    return [None if answer != answer else float(answer) for answer in answers]
