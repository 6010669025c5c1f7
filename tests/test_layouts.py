"""A storage that an earlier release has filled, under this release and the next, and under both at once."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from redis.crc import key_slot

from datapoints.redis.layout import stripe_bases
from tests import layouts, next_release
from tests.dumping import fill, points
from tests.served import Served
from timeseries_project.storage import connection
from timeseries_project.storage.client import Call, Storage
from timeseries_project.storage.errors import NewerLayoutError
from timeseries_project.storage.layouts import Versioned
from timeseries_project.storage.location import parse_location
from timeseries_project.storage.lua import Library
from timeseries_project.storage.upgrading import behind, portions, prepare
from timeseries_project.tests.redis_servers import RedisCluster, RedisServer

KINDS = ["redis", "valkey", "cluster"]
FOLDERS = sorted(layouts.FOLDER.iterdir())
Server = RedisServer | RedisCluster


class NextRelease(Served):
    """The next release of the server, whose functions are in a folder."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.command = ("-m", "tests.next_release", str(folder))
        super().__init__(**environment)


def answers(folder: Path) -> Any:
    """Return what the release that made a dump answered."""
    return json.loads(gzip.decompress((folder / "answers.json.gz").read_bytes()))


def all_answers(served: Served, server: Server) -> dict[str, Any]:
    return layouts.asked(served) | {"transactions": layouts.asked_of_window(server.url)}


def contents(server: Server) -> dict[bytes, bytes]:
    """Return every key with its value, functions aside."""
    servers = server.servers if isinstance(server, RedisCluster) else [server]
    return {key: one.client.dump(key) for one in servers for key in one.client.scan_iter()}


def replace_contents(server: Server, kept: dict[bytes, bytes]) -> None:
    """Let a server hold these keys only."""
    clients = layouts.masters(server) if isinstance(server, RedisCluster) else None
    for one in server.servers if isinstance(server, RedisCluster) else [server]:
        one.client.flushall()
    for key, value in kept.items():
        (clients[key_slot(key)] if clients else server.client).restore(key, 0, value)  # type: ignore[union-attr]


def storage_of(server: Server) -> Storage:
    return Storage(parse_location(server.url), timeout=30)


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that holds what the last release of today's layout has left."""
    yield from layouts.loaded(request.param, FOLDERS[-1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The functions of the next release."""
    place: Path = tmp_path_factory.mktemp("next") / "lua"
    next_release.write(place)
    return place


@pytest.fixture
def following(folder: Path) -> Versioned:
    """The next layout of datapoints."""
    return Versioned(next_release.write(folder), stripe_bases)


@pytest.mark.parametrize("made", FOLDERS, ids=lambda folder: str(folder.name))
@pytest.mark.parametrize("kind", KINDS)
def test_what_an_earlier_release_has_left_is_answered_as_before(kind: str, made: Path) -> None:
    for server in layouts.loaded(kind, made):
        with Served(STORAGE_URL=server.url, **layouts.SETTINGS) as served:
            served.wait()
            assert served.request("GET", "/readyz")[0] == 200
            assert all_answers(served, server) == answers(made)
            fill(served, "/datapoints", points(130)[120:])
            assert served.stop() == 0


@pytest.mark.parametrize("kind", ["redis", "cluster"])
def test_the_stripes_that_are_looked_at_are_those_that_the_stores_use(kind: str) -> None:
    for server in layouts.loaded(kind, FOLDERS[-1]):
        one_node = kind != "cluster"
        looked_at = {key.partition(b"}")[0] for one in connection.versioned() for key in one.stripes(one_node)}
        used = {key.partition(b"}")[0] for key in contents(server)}
        assert used <= looked_at
        assert looked_at == used or not one_node


def test_the_service_notes_its_layout_in_every_stripe(server: Server) -> None:
    with Served(STORAGE_URL=server.url, **layouts.SETTINGS) as served:
        served.wait()
        assert served.stop() == 0
    noted = [key.decode() for key in contents(server) if key.endswith(b":layout")]
    assert len(noted) == (64 + 64 + 6 if isinstance(server, RedisCluster) else 3)
    assert {name.partition(":")[0] for name in noted} == {"dp2", "bw", "tx"}


def test_two_processes_of_the_next_release_upgrade_it_at_once_and_an_older_one_then_refuses(
    server: Server, folder: Path
) -> None:
    environment = {"STORAGE_URL": server.url, **layouts.SETTINGS}
    with NextRelease(folder, **environment) as one, NextRelease(folder, **environment) as other:
        for served in (one, other):
            served.wait()
            assert served.request("GET", "/readyz")[0] == 200
            assert all_answers(served, server) == answers(FOLDERS[-1])
        assert one.stop() == other.stop() == 0
    held = contents(server)
    assert not [key for key in held if re.fullmatch(rb"dp2:\{\d+\}F", key)]
    with Served(**environment) as older:
        status, out, err = older.ended()
    assert (status, out) == (1, "")
    assert re.fullmatch(
        r"STORAGE_URL: The datapoints in the storage are of a newer release: they have layout \d+, "
        r"this one knows layouts up to \d+\. Run that release\.\n",
        err,
    )
    assert contents(server) == held


def test_a_process_of_this_release_that_still_runs_writes_nothing_into_the_next_layout(
    server: Server, folder: Path
) -> None:
    environment = {"STORAGE_URL": server.url, **layouts.SETTINGS}
    with Served(**environment) as older:
        older.wait()
        fill(older, "/datapoints", points(140)[130:])
        with NextRelease(folder, **environment) as newer:
            newer.wait()
            held = contents(server)
            body = json.dumps(points(130))
            status, response, _ = older.request(
                "POST", "/datapoints?on_duplicate=skip", body, Content_Type="application/json"
            )
            assert (status, response.headers["Retry-After"] is not None) == (503, True)
            assert older.request("DELETE", "/devices/hall/datapoints")[0] == 503
            assert older.request("GET", "/devices/hall")[0] == 503
            status, _, content = older.request("GET", "/readyz")
            assert (status, b"of a newer release" in content) == (503, True)
            assert older.request("GET", "/api/bandwidth/devices/hall")[0] == 200  # whose layout is the same
            assert contents(server) == held
            fill(newer, "/datapoints", points(130)[120:])
            assert newer.stop() == 0
        assert older.stop() == 0


def held_of_datapoints(server: Server) -> dict[bytes, bytes]:
    return {key: value for key, value in contents(server).items() if key.startswith(b"dp2")}


def test_it_may_be_cut_off_after_any_portion(server: Server, following: Versioned) -> None:
    begun = held_of_datapoints(server)
    replace_contents(server, begun)
    stripes = behind(storage_of(server), [following])
    whole = len(list(portions(storage_of(server), stripes)))
    done = held_of_datapoints(server)
    assert whole > 3
    for calls in range(whole):
        replace_contents(server, begun)
        for _ in zip(range(calls), portions(storage_of(server), stripes), strict=False):
            pass
        assert behind(storage_of(server), [following])
        prepare(storage_of(server), [following])
        assert held_of_datapoints(server) == done, calls


def test_two_may_take_turns_at_it(server: Server, following: Versioned) -> None:
    begun = held_of_datapoints(server)
    replace_contents(server, begun)
    stripes = behind(storage_of(server), [following])
    alone = list(portions(storage_of(server), stripes))
    done = held_of_datapoints(server)
    replace_contents(server, begun)
    turns = list(zip_longest(portions(storage_of(server), stripes), portions(storage_of(server), stripes)))
    assert len(turns) <= len(alone)
    assert held_of_datapoints(server) == done


def test_a_portion_takes_as_many_items_as_it_should(following: Versioned) -> None:
    for server in layouts.loaded("redis", FOLDERS[-1]):
        [registry] = [key for key in contents(server) if key.endswith(b"}F")]
        series = server.client.zcard(registry)  # type: ignore[union-attr]
        upgrading = portions(storage_of(server), behind(storage_of(server), [following]))
        seen = [server.client.zcard(registry) for _ in upgrading]  # type: ignore[union-attr]
        assert seen == [max(series - next_release.PORTION * n, 0) for n in range(1, len(seen) + 1)]
        assert len(seen) > 3


def test_functions_of_this_layout_refuse_a_stripe_on_its_way(following: Versioned) -> None:
    library: Library = next_release.library.LIBRARY
    for server in layouts.loaded("redis", FOLDERS[-1]):
        storage = storage_of(server)
        next(portions(storage, behind(storage, [following])))
        on_its_way = contents(server)
        names = [path.stem for path in library.folder.glob("*.lua") if path.stem != "layout"]
        for name in names:
            call = Call(library.function(f"datapoints_{name}"), [b"dp2:{0}"], ["0"] * 12)
            if name == "upgrade":
                assert storage.call(call).startswith(b"%d>" % library.layout)
                continue
            with pytest.raises(NewerLayoutError, match="is being upgraded"):
                storage.call(call)
        assert contents(server) == on_its_way
