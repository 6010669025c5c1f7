"""Servers on one storage compare their settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress

import pytest
from redis.exceptions import MovedError

from tests.served import Served
from timeseries_project.storage.agreement import ALIVE_SECONDS, MEMBERS, SETTINGS, Agreement, Difference
from timeseries_project.storage.client import Storage
from timeseries_project.storage.location import parse_location
from timeseries_project.tests.redis_servers import RedisCluster, RedisServer


@pytest.fixture
def storage(any_server: RedisServer | RedisCluster) -> Storage:
    for each in any_server.servers if isinstance(any_server, RedisCluster) else [any_server]:
        each.client.flushall()
    return Storage(parse_location(any_server.url), timeout=10)


def agreement(storage: Storage, name: str, skew: int = 5, limit: int = 10) -> Agreement:
    return Agreement(storage, name, strict={"SKEW": skew, "RETENTION": None}, loose={"LIMIT": limit})


def test_equal_settings_agree(storage: Storage) -> None:
    for name in ("a", "b"):
        assert agreement(storage, name).join() == []
        assert agreement(storage, name).go_on() == []


def test_a_strict_setting_that_differs_keeps_a_server_out(storage: Storage) -> None:
    first = agreement(storage, "a")
    assert first.join() == []
    differs = [Difference("SKEW", "60", "5", is_strict=True)]
    assert agreement(storage, "b", skew=60).join() == differs
    assert str(differs[0]) == "SKEW is 60 here and 5 there"
    first.leave()
    # The one that was kept out has not counted, so now nobody does.
    assert agreement(storage, "c", skew=7).join() == []
    assert [str(difference) for difference in first.go_on()] == ["SKEW is 5 here and 7 there"]


def test_of_loose_settings_the_last_start_decides_and_all_are_told(storage: Storage) -> None:
    first, second = agreement(storage, "a"), agreement(storage, "b", limit=20)
    first.join()
    assert second.join() == [Difference("LIMIT", "20", "10", is_strict=False)]
    assert first.go_on() == [Difference("LIMIT", "10", "20", is_strict=False)]
    assert second.go_on() == []
    assert agreement(storage, "a", limit=20).join() == []


def test_a_server_that_says_nothing_counts_no_longer(any_server: RedisServer | RedisCluster, storage: Storage) -> None:
    agreement(storage, "a").join()
    counted = 0
    for each in any_server.servers if isinstance(any_server, RedisCluster) else [any_server]:
        client = each.client
        with suppress(MovedError):  # another node has it
            [(member, until)] = client.zrange(MEMBERS, 0, -1, withscores=True)
            assert member == b"a"
            assert 0 < until - client.time()[0] <= ALIVE_SECONDS
            client.zadd(MEMBERS, {"a": client.time()[0] - 1})
            counted += 1
    assert counted == 1
    assert agreement(storage, "b", skew=60).join() == []


def test_what_a_storage_lost_is_written_again(storage: Storage) -> None:
    member = agreement(storage, "a")
    member.join()
    storage.each_node("FLUSHALL")
    assert member.go_on() == []
    assert agreement(storage, "b", skew=60).join() != []


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    started = RedisServer()
    yield started
    started.stop()


def test_a_server_that_must_not_differ_does_not_start(redis: RedisServer) -> None:
    with Served(STORAGE_URL=redis.url, RETENTION="30d", MAX_SERIES="7") as first:
        first.wait()
        with Served(STORAGE_URL=redis.url, CLOCK_SKEW_SECONDS="60", RETENTION="1d") as second:
            status, out, err = second.ended()
        [line] = err.splitlines()
        assert (status, out) == (1, "")
        assert line.startswith(
            "CLOCK_SKEW_SECONDS: CLOCK_SKEW_SECONDS is 60 here and 5 there, RETENTION is 86400s here"
        )
        with Served(STORAGE_URL=redis.url, WORKERS="2", RETENTION="30d", MAX_SERIES="8") as third:
            third.wait()
            status, _, err = third.stopped()
        assert status == 0
        [line] = [line for line in err.splitlines() if "MAX_SERIES" in line]
        assert "MAX_SERIES is 8 here and 7 there" in json.loads(line)["message"]
        assert first.stop() == 0
    # Once all have been stopped, others are taken at once.
    with Served(STORAGE_URL=redis.url, CLOCK_SKEW_SECONDS="60") as other:
        other.wait()
        assert redis.client.hget(SETTINGS, "CLOCK_SKEW_SECONDS") == b"60"
        assert other.stop() == 0
