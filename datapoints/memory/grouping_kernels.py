"""Kernels that group the rows of a batch by series: counting sorts, first by user, then by device.

See D. Knuth, "The Art of Computer Programming", volume 3, 5.2 (distribution counting) and 5.2.5 (radix sorting).
"""

from __future__ import annotations

from timeseries_project.core.arrays import Codes
from timeseries_project.core.kernels import kernel
from timeseries_project.core.summation import Floats, Integers


@kernel("void(int32[::1], int64[::1], int64[::1], int64[::1])")
def sort_by_code(codes: Codes, rows: Integers, places: Integers, order: Integers) -> None:
    """Write rows to `order` by their codes, those of one code in the order in which they come. O(rows + codes).

    `places` has an entry for each code, and one more; all are 0 at first.
    """
    for row in rows:
        places[codes[row] + 1] += 1
    for code in range(1, len(places)):
        places[code] += places[code - 1]
    for row in rows:
        code = codes[row]
        order[places[code]] = row
        places[code] += 1


@kernel(
    "UniTuple(int64, 2)(int64[::1], int64[::1], float64[::1], int32[::1], int32[::1],"
    " int64[::1], float64[::1], int64[::1])"
)
def gather_series(
    order: Integers,
    times: Integers,
    values: Floats,
    devices: Codes,
    users: Codes,
    sorted_times: Integers,
    sorted_values: Floats,
    starts: Integers,
) -> tuple[int, int]:
    """Write times and values in an order by series, and where each series starts. O(rows).

    Return how many series there are, and how often a time is before the one that precedes it in its series.
    """
    count, back = 0, 0
    device, user, before = -1, -1, 0
    for place in range(len(order)):
        row = order[place]
        time = times[row]
        if devices[row] != device or users[row] != user:
            device, user = devices[row], users[row]
            starts[count] = place
            count += 1
        elif time < before:
            back += 1
        before = time
        sorted_times[place] = time
        sorted_values[place] = values[row]
    return count, back
