"""The loop that writes rows of an answer: times, and the cells of other columns, between the pieces of a template."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from timeseries_project.core.kernels import helper, kernel
from timeseries_project.core.summation import Integers

Bytes = NDArray[np.uint8]

#: Characters of a time: 2026-01-31T12:00:00Z.
TIME = 20
DAY = 86_400
#: A day long before the year 1.
NO_DAY = -1_000_000
ZERO, COMMA, DASH, COLON, LETTER_T, LETTER_Z = b"0,-:TZ"

# Bytes that are only read: those of Python's `bytes` cannot be written.
READABLE = "Array(uint8, 1, 'C', readonly=True)"


@helper
def write_digits(text: Bytes, at: int, count: int, number: int) -> None:
    """Write a number in so many digits."""
    for place in range(at + count - 1, at - 1, -1):
        text[place] = ZERO + number % 10
        number //= 10


@helper
def write_date(text: Bytes, at: int, days: int) -> None:
    """Write the date of a day since the Unix epoch, not before the year 1, as 2026-01-31.

    Years are counted from March, so that the leap day is their last, in eras of 400 years. See H. Hinnant, "chrono-
    Compatible Low-Level Date Algorithms", `civil_from_days`.
    """
    days += 719_468  # since March 1 of the year 0
    era = days // 146_097
    of_era = days % 146_097
    year_of_era = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * of_year + 2) // 153  # 0 is March
    write_digits(text, at + 8, 2, of_year - (153 * month + 2) // 5 + 1)
    write_digits(text, at + 5, 2, month + 3 if month < 10 else month - 9)
    write_digits(text, at, 4, year_of_era + era * 400 + (month >= 10))
    text[at + 4] = DASH
    text[at + 7] = DASH


@kernel(f"int64(int64[::1], {READABLE}, int64[::1], {READABLE}, int64[::1], uint8[::1])")
def write_rows(
    seconds: Integers, template: Bytes, borders: Integers, cells: Bytes, places: Integers, text: Bytes
) -> int:
    """Write a row for each time, in epoch seconds from the year 1 to 9999; return how many bytes they take. O(bytes).

    A row is a time and a cell of each other column, with pieces of the template before, between and after them: piece
    i ends before `borders[i + 1]`. The cells of a column follow one another from `places[column]` on, each with a comma
    behind it. `text` has room for all.
    """
    at = 0
    last_day = NO_DAY
    date = 0  # where the date of the last day stands
    for row in range(len(seconds)):
        for i in range(borders[0], borders[1]):
            text[at] = template[i]
            at += 1
        day = seconds[row] // DAY
        if day != last_day:
            write_date(text, at, day)
            last_day = day
        else:
            for i in range(10):
                text[at + i] = text[date + i]
        date = at
        of_day = seconds[row] - day * DAY
        text[at + 10] = LETTER_T
        write_digits(text, at + 11, 2, of_day // 3_600)
        text[at + 13] = COLON
        write_digits(text, at + 14, 2, of_day // 60 % 60)
        text[at + 16] = COLON
        write_digits(text, at + 17, 2, of_day % 60)
        text[at + 19] = LETTER_Z
        at += TIME
        for column in range(len(places)):
            for i in range(borders[column + 1], borders[column + 2]):
                text[at] = template[i]
                at += 1
            place = places[column]
            while cells[place] != COMMA:
                text[at] = cells[place]
                at += 1
                place += 1
            places[column] = place + 1
        for i in range(borders[len(places) + 1], borders[len(places) + 2]):
            text[at] = template[i]
            at += 1
    return at
