"""The pool of series against dictionaries: points in any order, replaced and removed, and the sums beside them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from datapoints.divisions import Grid
from datapoints.interface import QUARTER_HOUR
from datapoints.memory import series as series_module
from datapoints.memory.series import Rows, SeriesPool
from datapoints.statistics import Aggregate, aggregate_sums
from datapoints.tests import oracle
from datapoints.tests.points import values
from timeseries_project.core.block_kernels import BEYOND
from timeseries_project.tests.drawn import lives

SERIES = 3
#: A few times in each of some quarter-hours, their borders among them.
times = st.builds(
    lambda quarter, place: quarter * QUARTER_HOUR + place,
    st.integers(0, 20),
    st.sampled_from([0, 1, 2, QUARTER_HOUR // 2, QUARTER_HOUR - 1]),
)
numbers = st.integers(0, SERIES - 1)


class SeriesMachine(RuleBasedStateMachine):
    """Changes a pool and, for each series, a dictionary of its points."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.series: list[dict[int, float]] = [{} for _ in range(SERIES)]

    @initialize(points=st.sampled_from([4, 5, 24]), sums=st.sampled_from([4, 7]))
    def begin(self, points: int, sums: int) -> None:
        self.patch.setattr(series_module, "POINTS_IN_BLOCK", points)
        self.patch.setattr(series_module, "SUMS_IN_BLOCK", sums)
        self.pool = SeriesPool()
        self.pool.reserve(SERIES)

    def teardown(self) -> None:
        self.patch.undo()

    @rule(number=numbers, time=times, value=values)
    def add_one(self, number: int, time: int, value: float) -> None:
        assert self.pool.add_one(number, time, value + 0.0) is (time not in self.series[number])
        self.series[number].setdefault(time, value + 0.0)

    @rule(added=st.lists(st.dictionaries(times, values, max_size=30), min_size=SERIES, max_size=SERIES))
    def add_many(self, added: list[dict[int, float]]) -> None:
        points = [(n, time, value + 0.0) for n, some in enumerate(added) for time, value in sorted(some.items())]
        columns = [np.array(column) for column in zip(*points, strict=True)] or [np.empty(0)] * 3
        rows = Rows.of(columns[0].astype(np.int64), columns[1].astype(np.int64), columns[2].astype(np.float64))
        known = np.empty(len(points), dtype=bool)
        self.pool.look_up(rows, known)
        assert known.tolist() == [time in self.series[n] for n, time, _ in points]
        rows = rows.where(~known)
        self.pool.make_room(self.pool.needed(rows))
        self.pool.commit_add(rows)
        for n, time, value in points:
            self.series[n].setdefault(time, value)

    @rule(number=numbers, time=times, value=values)
    def replace(self, number: int, time: int, value: float) -> None:
        known = time in self.series[number]
        assert self.pool.commit_replace(number, time, value + 0.0) == known
        if known:
            self.series[number][time] = value + 0.0

    @rule(chosen=st.sets(numbers), start=times, stop=times)
    def remove(self, chosen: set[int], start: int, stop: int) -> None:
        gone = [(n, time) for n in chosen for time in self.series[n] if start <= time < stop]
        assert self.pool.commit_remove(np.array(sorted(chosen), dtype=np.int64), start, stop) == len(gone)
        for n, time in gone:
            del self.series[n][time]

    @rule(number=numbers, stop=times, most=st.integers(1, 6))
    def remove_in_portions(self, number: int, stop: int, most: int) -> None:
        """As retention does: the oldest go, and after each portion what is left is whole."""
        removed = 1
        while removed:
            removed = self.pool.commit_remove(np.array([number]), 0, stop, most)
            self.pool._check()
        self.series[number] = {time: value for time, value in self.series[number].items() if time >= stop}

    @rule(number=numbers)
    def remove_all(self, number: int) -> None:
        assert self.pool.commit_remove(np.array([number]), 0, BEYOND) == len(self.series[number])
        self.series[number] = {}

    @invariant()
    def points_and_sums_are_those_of_the_dictionaries(self) -> None:
        self.pool._check()
        for number, series in enumerate(self.series):
            found = self.pool.points(np.array([number]), 0, BEYOND)
            assert list(zip(*(column.tolist() for column in found), strict=True)) == sorted(series.items())
            quarters: dict[int, list[float]] = {}
            for time, value in series.items():
                quarters.setdefault(time // QUARTER_HOUR, []).append(value)
            averages = aggregate_sums(self.pool.sums(np.array([number]), 0, BEYOND), Grid(1), Aggregate.AVG)
            assert list(averages.numbers) == sorted(quarters)
            for quarter, average in zip(averages.numbers, averages.values.tolist(), strict=True):
                # What the sums leave open is NaN, and decided by the points.
                assert average != average or average == oracle.average(quarters[int(quarter)])


def test_a_pool_is_a_dictionary_for_each_series() -> None:
    run_state_machine_as_test(SeriesMachine, settings=lives(150, steps=25))
