"""The shared window's own concerns: the server's clock, keys, several processes, failures."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import numpy as np
import pytest
from redis.crc import key_slot

from timeseries_project.storage.client import Storage
from timeseries_project.storage.errors import StorageFullError, StorageUnavailableError
from timeseries_project.storage.location import parse_location
from timeseries_project.tests.redis_servers import RedisServer
from transactions.interface import KEPT_SECONDS, Summary, TooFarAheadError
from transactions.redis import window as redis_window
from transactions.redis.window import ROWS, TAGS, RedisWindow
from transactions.tests.oracle import AHEAD, EMPTY, LENGTH, NOW, check
from transactions.tests.stripes import servers, settle, stripes

SLOTS = 16_384
MINUTES = 60_000
KEPT_MS = KEPT_SECONDS * 1_000

KINDS = ["redis", "cluster"]


@pytest.fixture(params=KINDS)
def storage(request: pytest.FixtureRequest) -> Iterator[Storage]:
    """An empty storage of either kind."""
    storage: Storage = request.getfixturevalue(f"{request.param}_storage")
    storage.each_node("FLUSHALL")
    yield storage
    storage.each_node("FLUSHALL")


def window_of(storage: Storage, *, server_clock: bool = False) -> RedisWindow:
    return RedisWindow(storage, length_ms=LENGTH, ahead_ms=AHEAD, server_clock=server_clock)


@pytest.fixture
def window(storage: Storage) -> RedisWindow:
    """A window on the test's clock."""
    return window_of(storage)


def time_left(storage: Storage, key: bytes) -> int:
    """Return the milliseconds until a key expires."""
    [left] = [client.pttl(key) for client in servers(storage) if key in client.keys("*")]
    return int(left)


def like_another_process(storage: Storage, *, timeout: float = 30) -> Storage:
    """Return the same storage over separate connections."""
    return Storage(storage.location, timeout=timeout)


class TestClock:
    """The servers' clock is the test machine's; a wrong clock is passed in as `now`."""

    @pytest.fixture
    def window(self, storage: Storage) -> RedisWindow:
        return window_of(storage, server_clock=True)

    @pytest.fixture
    def server_now(self, storage: Storage) -> Callable[[], int]:
        """The time by a server's clock."""

        def now() -> int:
            seconds, microseconds = next(servers(storage)).time()
            return int(seconds) * 1_000 + int(microseconds) // 1_000

        return now

    @pytest.mark.parametrize("wrong", [-60 * MINUTES, -MINUTES, 0, MINUTES, 60 * MINUTES])
    def test_a_process_whose_clock_is_wrong_counts_and_answers_like_any_other(
        self, window: RedisWindow, server_now: Callable[[], int], wrong: int
    ) -> None:
        begun = server_now()
        now = begun + wrong
        assert window.add(begun, 1.0, now=now)
        assert window.add(begun + AHEAD, 2.0, now=now)
        assert window.add_batch([begun, begun - LENGTH - 1], [4.0, 8.0], now=now) == 1
        assert not window.add(begun - LENGTH - 1, 16.0, now=now)
        assert window.summary(now=now).sum == 7.0

    @pytest.mark.parametrize("wrong", [-MINUTES, 0, MINUTES])
    def test_a_refusal_tells_the_time_of_the_server(
        self, window: RedisWindow, server_now: Callable[[], int], wrong: int
    ) -> None:
        begun = server_now()
        timestamp = begun + AHEAD + MINUTES
        for refused in (
            lambda: window.add(timestamp, 1.0, now=begun + wrong),
            lambda: window.add_batch([begun, timestamp], [1.0, 1.0], now=begun + wrong),
        ):
            with pytest.raises(TooFarAheadError) as caught:
                refused()
            assert begun <= caught.value.now <= server_now()
        assert window.summary(now=begun) == EMPTY


class TestRefused:
    @pytest.mark.parametrize("excess", [1, 10**6, 10**15, 10**30])
    def test_one_from_the_future_leaves_every_byte_as_it_was(
        self, storage: Storage, window: RedisWindow, excess: int
    ) -> None:
        for _ in TAGS:
            window.add_batch([NOW, NOW - 7_000], [0.1, 1e16], now=NOW)
        before = stripes(storage)
        for times in ([NOW + AHEAD + excess], [NOW, NOW + AHEAD + excess, NOW - 3], [NOW + AHEAD + excess] * 200):
            with pytest.raises(TooFarAheadError) as caught:
                window.add_batch(times, [1.0] * len(times), now=NOW)
            assert caught.value.now == NOW
        with pytest.raises(TooFarAheadError):
            window.add(NOW + AHEAD + excess, 1.0, now=NOW)
        assert stripes(storage) == before

    def test_an_empty_storage_stays_empty(self, storage: Storage, window: RedisWindow) -> None:
        times = [*range(NOW - LENGTH, NOW, 2), NOW + AHEAD + 1]
        with pytest.raises(TooFarAheadError):
            window.add_batch(times, [1.0] * len(times), now=NOW)
        assert window.add_batch([NOW - LENGTH - 1] * 3, [1.0] * 3, now=NOW) == 0
        assert window.summary(now=NOW) == EMPTY
        assert stripes(storage) == {}

    @pytest.mark.parametrize("age", [10**6, 10**15, 2**63, 10**30])
    def test_what_is_older_than_any_clock_is_too_old(self, storage: Storage, window: RedisWindow, age: int) -> None:
        assert not window.add(NOW - age, 1.0, now=NOW)
        assert window.add_batch([NOW - age, NOW - 2 * age], [1.0, 1.0], now=NOW) == 0
        assert stripes(storage) == {}


class TestPortions:
    def test_a_batch_of_every_millisecond_is_counted_whole(self, window: RedisWindow) -> None:
        times = np.arange(NOW - LENGTH - 500, NOW + AHEAD + 1)
        values = np.random.default_rng(1).permutation(len(times)).astype(float)
        young = values[500:]
        assert len(young) > 6 * ROWS
        assert window.add_batch(times, values, now=NOW) == len(young)
        right = Summary(young.sum(), young.sum() / len(young), young.max(), young.min(), len(young))
        assert window.summary(now=NOW) == right
        check(window)

    @pytest.mark.parametrize("rows", [1, 2, 3, 1_000])
    def test_any_size_of_portion_leaves_the_same_bytes(self, storage: Storage, rows: int) -> None:
        draw = random.Random(rows)
        times = [NOW - draw.randint(-AHEAD, 3_000) for _ in range(200)]
        amounts = [draw.gauss(0, 1e6) for _ in times]
        with patch.object(redis_window, "ROWS", rows):
            window_of(storage).add_batch(times, amounts, now=NOW)
        portions = stripes(storage)
        check(window_of(storage))
        storage.each_node("FLUSHALL")
        window = window_of(storage)
        for timestamp, amount in sorted(zip(times, amounts, strict=True)):
            # Each value by itself, to the same stripe.
            row = redis_window.ROW.pack(timestamp, amount, 0.0, 1.0, amount, amount)
            window._add(window._keys[0], row, latest=timestamp, now=NOW)
        [[portioned], [single]] = [list(found.values()) for found in (portions, stripes(storage))]
        a, b = (np.frombuffer(cells, "<f8") for cells in (portioned, single))
        # Counts and extremes are equal; sums differ only by roundings far below the promised bound.
        np.testing.assert_allclose(a, b, rtol=1e-15, atol=1e-9)

    def test_the_future_is_looked_for_before_the_first_portion(self, storage: Storage, window: RedisWindow) -> None:
        times = np.arange(NOW - 2 * ROWS, NOW + AHEAD + 2)
        with pytest.raises(TooFarAheadError):
            window.add_batch(times, np.ones(len(times)), now=NOW)
        assert stripes(storage) == {}


class TestWaiting:
    """Rows of a large batch count before they are in the points."""

    @pytest.fixture
    def times(self, window: RedisWindow) -> list[int]:
        """Each of 95 milliseconds, added by a process that dies before it settles them: ten portions wait."""
        times = list(range(NOW - 70, NOW + 25))
        with patch.object(redis_window, "PORTION", 10), patch.object(RedisWindow, "_settle"):
            assert window.add_batch(times, [1.0] * len(times), now=NOW) == len(times)
        return times

    def waiting(self, storage: Storage) -> list[int]:
        """Return how many portions wait in each list."""
        return [client.llen(key) for client in servers(storage) for key in client.keys("tx:*:rows")]

    def test_they_leave_one_by_one(self, storage: Storage, window: RedisWindow, times: list[int]) -> None:
        assert self.waiting(storage) == [10]
        for gone in range(len(times) + 1):
            assert window.summary(now=times[0] + LENGTH + gone).count == len(times) - gone

    def test_calls_settle_them_a_portion_each(self, storage: Storage, window: RedisWindow, times: list[int]) -> None:
        for left in (8, 6, 4, 2):
            settle(window, 2)
            assert self.waiting(storage) == [left]
            assert window.summary(now=NOW + LENGTH).count == 25
        settle(window)
        assert self.waiting(storage) == []
        assert window.summary(now=NOW + LENGTH).count == 25
        check(window)

    @pytest.mark.usefixtures("times")
    def test_those_of_an_earlier_turn_of_the_ring_are_let_go(self, window: RedisWindow) -> None:
        later = NOW + window._span
        for _ in TAGS:
            window.add(later, 8.0, now=later)
        settle(window)
        assert window.summary(now=later + LENGTH) == Summary(8.0 * len(TAGS), 8.0, 8.0, 8.0, len(TAGS))
        check(window)

    @pytest.mark.usefixtures("times")
    def test_they_are_forgotten_with_all_else_and_by_themselves(self, storage: Storage, window: RedisWindow) -> None:
        [left] = [client.pttl(key) for client in servers(storage) for key in client.keys("tx:*:rows")]
        assert LENGTH + AHEAD < left <= window._span
        window.clear()
        assert self.waiting(storage) == []
        window.add(NOW - 70, 2.0, now=NOW)
        assert window.summary(now=NOW + LENGTH - 70).sum == 2.0


class TestKeys:
    def test_the_tags_share_the_slots_evenly(self) -> None:
        places = [key_slot(b"{%s}" % tag.encode()) * len(TAGS) // SLOTS for tag in TAGS]
        assert places == list(range(len(TAGS)))

    def test_writers_take_the_stripes_in_turn(self, storage: Storage, window: RedisWindow) -> None:
        for _ in TAGS:
            window.add(NOW, 1.0, now=NOW)
        found = stripes(storage).keys()
        assert len(found) == (1 if storage.one_node else len(TAGS))
        own = {len(found & set(client.keys("*"))) for client in servers(storage)}
        assert own == {1 if storage.one_node else len(TAGS) // 3}
        assert window.summary(now=NOW).count == len(TAGS)

    def test_each_lives_until_the_history_has_let_go_of_all_and_little_longer(
        self, storage: Storage, window: RedisWindow
    ) -> None:
        latest = 0
        for step in (0, 1_999, 1, 40_000, 0, 10_000):
            latest += step
            now = NOW + latest
            for timestamp in (now, now + AHEAD, now - LENGTH, now - LENGTH - 1):
                window.add(timestamp, 1.0, now=now)
            for key in stripes(storage):
                assert KEPT_MS < time_left(storage, key) <= KEPT_MS + AHEAD + 7_000
        window.clear()
        window.add(NOW + AHEAD, 1.0, now=NOW)
        [left] = [time_left(storage, key) for key in stripes(storage)]
        assert left > AHEAD + KEPT_MS

    def test_what_expired_by_itself_begins_anew(self, storage: Storage, window: RedisWindow) -> None:
        for _ in TAGS:
            window.add_batch([NOW, NOW - 30_000], [1e16, 3.0], now=NOW)
        for client in servers(storage):
            for key in client.keys("*"):
                client.pexpire(key, 0)
        assert stripes(storage) == {}
        assert window.summary(now=NOW) == EMPTY
        window.add(NOW, 0.5, now=NOW)
        assert window.summary(now=NOW) == Summary(0.5, 0.5, 0.5, 0.5, 1)
        check(window)

    def test_memory_is_the_same_whatever_comes(self, storage: Storage, window: RedisWindow) -> None:
        def sizes() -> dict[bytes, int]:
            return {key: client.memory_usage(key) for client in servers(storage) for key in client.keys("*")}

        for _ in TAGS:
            window.add(NOW, 1.0, now=NOW)
        first = sizes()
        draw = np.random.default_rng(2)
        for now in range(NOW, NOW + 5 * LENGTH, 19_000):
            window.add_batch(now + draw.integers(-LENGTH, AHEAD, 2_000), draw.normal(0, 1e6, 2_000), now=now)
        assert sizes() == first
        assert max(first.values()) < 45 * (LENGTH + AHEAD + 9_000)  # the allocator rounds up
        check(window)

    def test_windows_of_other_lengths_keep_apart(self, storage: Storage) -> None:
        windows = [RedisWindow(storage, length_ms=n * 10_000, ahead_ms=0, server_clock=False) for n in range(1, 5)]
        for n, window in enumerate(windows):
            window.add(NOW, float(n), now=NOW)
        assert [window.summary(now=NOW).sum for window in windows] == [0.0, 1.0, 2.0, 3.0]


class TestSeveralProcesses:
    """Each window here has a separate storage object, as in a separate process."""

    def test_what_one_adds_the_others_see(self, storage: Storage) -> None:
        one, other = window_of(storage), window_of(like_another_process(storage))
        one.add(NOW, 1.0, now=NOW)
        other.add(NOW, 2.0, now=NOW)
        assert one.summary(now=NOW) == other.summary(now=NOW) == Summary(3.0, 1.5, 2.0, 1.0, 2)
        other.clear()
        assert one.summary(now=NOW) == EMPTY

    def test_writing_at_once_they_lose_nothing_and_see_nothing_half_done(self, storage: Storage) -> None:
        writers, rounds, size = 6, 15, 300

        def write(number: int) -> None:
            draw = random.Random(number)
            window = window_of(like_another_process(storage))
            for now in range(NOW, NOW + rounds):
                window.add(now - draw.randint(0, 50_000), 0.0, now=now)
                times = [now - draw.randint(-AHEAD, 50_000) for _ in range(size)]
                assert window.add_batch(times, [1.0, -1.0] * (size // 2), now=now) == size

        def read(number: int) -> None:
            window, seen = window_of(like_another_process(storage)), 0
            for now in range(NOW, NOW + 10 * rounds):
                answer = window.summary(now=now)
                assert answer.sum == 0.0
                assert answer.count >= seen
                seen = answer.count

        with ThreadPoolExecutor(2 * writers) as pool:
            for done in [pool.submit(work, n) for n in range(writers) for work in (write, read)]:
                done.result()

        window = window_of(storage)
        assert window.summary(now=NOW) == Summary(0.0, 0.0, 1.0, -1.0, writers * rounds * (size + 1))
        check(window)


class TestFailures:
    @pytest.fixture
    def server(self) -> Iterator[RedisServer]:
        server = RedisServer()
        yield server
        server.stop()

    def test_an_answer_that_is_lost_leaves_the_value_counted_once_or_not_at_all(self, server: RedisServer) -> None:
        storage = Storage(parse_location(server.url), timeout=30)
        window, hasty = window_of(storage), window_of(like_another_process(storage, timeout=0.2))
        assert hasty.summary(now=NOW) == EMPTY  # opens its connection and loads the functions
        hasty.add(NOW, 1.0, now=NOW)
        server.pause()
        with pytest.raises(StorageUnavailableError):
            hasty.add_batch([NOW, NOW - 20_000], [2.0, 4.0], now=NOW)
        server.resume()
        # The server carries out what it received while paused.
        server.wait(lambda: window.summary(now=NOW).count == 3)
        assert window.summary(now=NOW).sum == 7.0
        check(window)

    def test_a_full_storage_refuses_still_answers_and_can_be_emptied(self, server: RedisServer) -> None:
        window = window_of(Storage(parse_location(server.url), timeout=30))
        window.add(NOW, 1.0, now=NOW)
        server.client.config_set("maxmemory", 1_000_000)
        before = stripes(window._storage)
        for full in (lambda: window.add(NOW, 1.0, now=NOW), lambda: window.add_batch([NOW], [1.0], now=NOW)):
            with pytest.raises(StorageFullError):
                full()
        assert stripes(window._storage) == before
        assert window.summary(now=NOW).count == 1
        window.clear()
        assert window.summary(now=NOW) == EMPTY

    def test_a_batch_that_is_counted_and_not_settled_is_accepted(
        self, server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(redis_window, "PORTION", 10)
        window = window_of(Storage(parse_location(server.url), timeout=30))
        window.add(NOW, 1.0, now=NOW)  # loads the functions
        settling = window._settle

        def paused_before(key: bytes, portions: int) -> None:
            server.pause()
            settling(key, portions)

        hasty = window_of(like_another_process(window._storage, timeout=0.2))
        monkeypatch.setattr(hasty, "_settle", paused_before)
        assert hasty.add_batch(range(NOW - 50, NOW), [1.0] * 50, now=NOW) == 50
        server.resume()
        server.wait(lambda: window.summary(now=NOW).count == 51)

    def test_a_restart_begins_with_nothing_and_goes_on(self, server: RedisServer) -> None:
        window = window_of(Storage(parse_location(server.url), timeout=30))
        window.add(NOW, 1.0, now=NOW)
        server.kill()
        server.start()
        assert server.client.ping()
        assert window.summary(now=NOW) == EMPTY
        assert window.add(NOW, 2.0, now=NOW)
        assert window.summary(now=NOW).sum == 2.0


def test_valkey_does_the_same() -> None:
    server = RedisServer("valkey")
    try:
        window = window_of(Storage(parse_location(server.url), timeout=30))
        times = np.random.default_rng(3).integers(NOW - LENGTH, NOW, 5_000)
        assert window.add_batch(times, times / 8, now=NOW) == 5_000
        assert window.add(NOW, 0.25, now=NOW)
        assert window.summary(now=NOW).sum == float(times.sum()) / 8 + 0.25
        check(window)
    finally:
        server.stop()
