"""Upgrades of a made-up layout on real servers: its second step changes values in place, so none may be taken twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from timeseries_project.core import clock
from timeseries_project.storage import client
from timeseries_project.storage.client import Call, Storage
from timeseries_project.storage.errors import NewerLayoutError, StorageUnavailableError
from timeseries_project.storage.layouts import Versioned, is_behind
from timeseries_project.storage.location import parse_location
from timeseries_project.storage.lua import Library
from timeseries_project.storage.nodes import deadline
from timeseries_project.storage.upgrading import behind, portions, prepare, upgrade
from timeseries_project.tests.redis_servers import RedisCluster, RedisServer

PUT = """--- @include command
command('shop_put', WRITES, function(keys, args)
  for i, name in ipairs(args) do
    call('ZADD', keys[1] .. 'names', 0, name)
    call('HSET', keys[1] .. 'prices', name, PRICE)
  end
end)
"""
PRICES = """--- @include command
command('shop_prices', READS, function(keys) return call('HGETALL', keys[1] .. 'prices') end)
"""
LAYOUT = """--- @include command
--- @include layout_version
command('shop_layout', TELLS, function(keys) return (layout_of(keys[1])) end)
"""
UPGRADE = """--- @include command
--- @include upgrading
local STEPS = {}
-- Nothing but a name.
STEPS[1] = function(base)
  if call('EXISTS', base .. 'list') == 1 then call('RENAME', base .. 'list', base .. 'names') end
end
-- Euros become cents: in order of names, some at a time; the cursor is the last one that was done.
STEPS[2] = function(base, cursor)
  local from = cursor == '' and '-' or '(' .. cursor
  local names = call('ZRANGEBYLEX', base .. 'names', from, '+', 'LIMIT', 0, 4)
  for _, name in ipairs(names) do
    call('HSET', base .. 'prices', name, call('HGET', base .. 'prices', name) * 100)
  end
  return names[4]
end
command('shop_upgrade', UPGRADES, function(keys) return upgrade(keys[1], STEPS) end)
"""
NAMES = [b"pear %d" % number for number in range(11)]
TAGS = (b"shop:{0}", b"shop:{1}", b"shop:{5}")  # in a cluster of three, each on a node of its own


def library(folder: Path, layout: int) -> Library:
    """Return the functions of a release that knows layouts up to this one, and puts prices as it has them."""
    place = folder / str(layout)
    place.mkdir(exist_ok=True)
    for name, text in (("put", PUT), ("prices", PRICES), ("layout", LAYOUT), ("upgrade", UPGRADE)):
        (place / f"{name}.lua").write_text(text)
    return Library("shop", place, {"PRICE": 100 if layout >= 3 else 1}, layout=layout)


#: A release by the last layout that it knows: what it says about the layout.
Release = Callable[[int], Versioned]


@pytest.fixture
def release(tmp_path: Path) -> Release:
    """A function that returns the layout of the release that made it."""
    return lambda layout: Versioned(library(tmp_path, layout), lambda one_node: TAGS)


@pytest.fixture
def storage(any_server: RedisServer | RedisCluster) -> Storage:
    """An empty storage."""
    storage = another(any_server)
    storage.each_node("FLUSHALL")
    return storage


def another(server: RedisServer | RedisCluster) -> Storage:
    return Storage(parse_location(server.url), timeout=30)


def put(storage: Storage, shop: Versioned) -> None:
    function = shop.library.function("shop_put")
    storage.calls([Call(function, [tag], NAMES[place:]) for place, tag in enumerate(TAGS)])


def prices(storage: Storage, shop: Versioned) -> list[list[bytes]]:
    """Return the different prices of each stripe."""
    function = shop.library.function("shop_prices")
    answers = storage.calls([Call(function, [tag], read_only=True) for tag in TAGS])
    assert [len(answer[::2]) for answer in answers] == [len(NAMES[place:]) for place in range(len(TAGS))]
    return [sorted(set(answer[1::2])) for answer in answers]


@contextmanager
def cut_off(monkeypatch: pytest.MonkeyPatch, after: int) -> Iterator[list[int]]:
    """Let so many exchanges succeed, and lose the answers of the next one, which the servers have carried out.

    Yields a list that has an item once this has happened.
    """
    lost: list[int] = []
    done, exchange = count(), client.exchange

    def exchange_or_lose(commands: Any, until: float) -> Any:
        replies = exchange(commands, until)
        if next(done) == after:
            lost.append(after)
            raise StorageUnavailableError("cut off")
        return replies

    with monkeypatch.context() as patch:
        patch.setattr(client, "exchange", exchange_or_lose)
        yield lost


def test_each_portion_is_done_once_wherever_a_process_is_cut_off(
    storage: Storage, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    for exchanges in count():
        storage.each_node("FLUSHALL")
        put(storage, release(1))
        with cut_off(monkeypatch, exchanges) as lost, suppress(StorageUnavailableError):
            prepare(storage, [release(3)])
        prepare(storage, [release(3)])
        assert prices(storage, release(3)) == [[b"100"]] * 3, exchanges
        if not lost:
            break
    assert exchanges > 10


def test_many_processes_may_do_it_at_once(
    storage: Storage, any_server: RedisServer | RedisCluster, release: Release
) -> None:
    put(storage, release(1))
    shop, start, failures = release(3), threading.Barrier(4), []

    def run() -> None:
        own = another(any_server)
        start.wait()
        try:
            prepare(own, [shop])
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert prices(storage, shop) == [[b"100"]] * 3


def test_a_call_that_was_late_does_nothing_more(storage: Storage, release: Release) -> None:
    """A stalled server carries out later what it had received, after others have finished."""
    put(storage, release(1))
    prepare(storage, [release(3)])
    late = Call(release(3).library.function("shop_upgrade"), [TAGS[0]])
    assert [storage.call(late) for _ in range(3)] == [b"3"] * 3
    assert prices(storage, release(3)) == [[b"100"]] * 3


def test_a_release_goes_on_where_another_one_has_stopped_on_the_way(storage: Storage, release: Release) -> None:
    put(storage, release(1))
    prepare(storage, [release(2)])
    assert prices(storage, release(2)) == [[b"1"]] * 3
    started = portions(storage, behind(storage, [release(3)]))
    assert next(started) == "2>3 pear 2"
    prepare(storage, [release(3)])
    assert prices(storage, release(3)) == [[b"100"]] * 3


def test_a_step_on_its_way_is_refused_by_the_releases_before_it(storage: Storage, release: Release) -> None:
    put(storage, release(2))
    next(portions(storage, behind(storage, [release(3)])))
    for older in (1, 2):
        with pytest.raises(NewerLayoutError, match="are of a newer release: they have layout 2 and is being upgraded"):
            prepare(storage, [release(older)])
        with pytest.raises(NewerLayoutError):
            storage.call(Call(release(older).library.function("shop_put"), [TAGS[0]], NAMES))


def test_nothing_is_begun_where_any_stripe_is_newer(storage: Storage, release: Release) -> None:
    put(storage, release(1))
    for _ in portions(storage, [(release(3).library, TAGS[2])]):
        pass
    with pytest.raises(NewerLayoutError):
        prepare(storage, [release(2)])
    assert len(behind(storage, [release(3)])) == 2
    assert behind(storage, [Versioned(release(1).library, lambda one_node: TAGS[:2])]) == []


def test_what_is_older_or_gone_while_the_service_runs_is_upgraded_by_the_next_call(
    storage: Storage, release: Release
) -> None:
    prepare(storage, [release(3)])
    for older in (1, 2):
        storage.each_node("FLUSHALL")
        put(storage, release(older))
        assert prices(storage, release(3)) == [[b"100"]] * 3
    storage.each_node("FLUSHALL")
    put(storage, release(3))
    assert prices(storage, release(3)) == [[b"100"]] * 3
    assert behind(storage, [release(3)]) == []


def test_whether_it_is_ready_upgrades_too_and_says_so_when_time_is_up(
    storage: Storage, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(storage, release(1))
    now = iter(range(10**6))
    with deadline(12, begun=0):
        monkeypatch.setattr(clock, "elapsed", lambda: next(now))
        with pytest.raises(StorageUnavailableError):
            upgrade(storage, [release(3)])
        monkeypatch.undo()
    assert behind(storage, [release(3)])
    upgrade(storage, [release(3)])
    assert behind(storage, [release(3)]) == []


def test_a_layout_is_noted_where_none_was(storage: Storage, release: Release) -> None:
    prepare(storage, [release(1)])
    told = storage.calls([Call(release(1).library.function("shop_layout"), [tag], read_only=True) for tag in TAGS])
    assert told == [b"1"] * 3
    with pytest.raises(NewerLayoutError):
        is_behind(release(1).library, "1>2 x")
