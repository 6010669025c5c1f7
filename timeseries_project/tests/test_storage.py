"""The shared storage on real servers that are paused, killed, restarted, full, resharded or failing over."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis.crc import key_slot

from timeseries_project.storage.client import Call, Storage
from timeseries_project.storage.errors import StorageFullError, StorageUnavailableError
from timeseries_project.storage.location import Address, parse_location
from timeseries_project.storage.lua import Function, Library
from timeseries_project.storage.nodes import PAUSE_SECONDS, TRIAL_SHARE, deadline
from timeseries_project.tests.redis_servers import RedisCluster, RedisServer

COMMANDS = {
    "put": """command('test_put', WRITES, function(keys, args) return call('SET', keys[1], args[1]) end)""",
    "append": """command('test_append', WRITES, function(keys, args) return call('APPEND', keys[1], args[1]) end)""",
    "read": """command('test_read', READS, function(keys) return call('GET', keys[1]) end)""",
    "fail": """-- Fails in its second line.
command('test_fail', WRITES, function() error('broken') end)""",
}
TIMEOUT = 1.0


def library_of(folder: Path, commands: dict[str, str]) -> Library:
    """Write a library of these commands into a folder."""
    folder.mkdir(exist_ok=True)
    for name, text in commands.items():
        (folder / f"{name}.lua").write_text(f"{text}\n--- @include command\n")
    return Library("test", folder)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return library_of(tmp_path / "lua", COMMANDS)


@pytest.fixture
def put(library: Library) -> Function:
    return library.function("test_put")


@pytest.fixture
def read(library: Library) -> Function:
    return library.function("test_read")


@pytest.fixture
def server() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture
def storage(server: RedisServer) -> Storage:
    return Storage(parse_location(server.url), timeout=TIMEOUT)


def seconds(function: Callable[[], object]) -> float:
    """Return how long a call takes to raise StorageUnavailableError."""
    begun = time.monotonic()
    with pytest.raises(StorageUnavailableError):
        function()
    return time.monotonic() - begun


def until_it_answers(function: Callable[[], object]) -> object:
    """Repeat a call until the storage is available again, as clients do."""
    limit = time.monotonic() + 30
    while True:
        try:
            return function()
        except StorageUnavailableError:
            assert time.monotonic() < limit, "the storage does not recover"
            time.sleep(0.02)


class TestLocation:
    @pytest.mark.parametrize(
        ("url", "addresses", "cluster", "options"),
        [
            ("redis://h:1/2", (Address("h", 1),), False, {"db": 2}),
            ("redis://h", (Address("h", 6379),), False, {}),
            ("redis://[::1]:7/0", (Address("::1", 7),), False, {"db": 0}),
            ("redis://u:p%40%2F@h:1", (Address("h", 1),), False, {"username": "u", "password": "p@/"}),
            ("redis+cluster://a:1,b:2,c", (Address("a", 1), Address("b", 2), Address("c", 6379)), True, {}),
            ("redis+cluster://:p@a:1,b:2/", (Address("a", 1), Address("b", 2)), True, {"password": "p"}),
            ("rediss://h:1?ssl_ca_certs=/ca.pem", (Address("h", 1),), False, {"ssl_ca_certs": "/ca.pem"}),
        ],
    )
    def test_is_read_from_a_url(
        self, url: str, addresses: tuple[Address, ...], cluster: bool, options: dict[str, object]
    ) -> None:
        location = parse_location(url)
        assert (location.addresses, location.cluster, location.options) == (addresses, cluster, options)
        assert location.connection_class.__name__ == ("SSLConnection" if url.startswith("rediss") else "Connection")

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "redis",
            "http://h",
            "redis+sentinel://h",
            "redis://",
            "redis://:secret@",
            "redis://h:x",
            "redis://h:99999",
            "redis://h/secret",
            "redis://h/-1",
            "redis+cluster://a:1,,b:2",
            "redis+cluster://a:1/1",
            "redis://h?password=secret",
            "unix:///tmp/secret",
        ],
    )
    def test_is_refused_without_a_word_of_the_url(self, url: str) -> None:
        with pytest.raises(ValueError, match=r"^(must|may|names)") as refused:
            parse_location(url)
        assert "secret" not in str(refused.value)


def test_functions_are_loaded_when_they_are_missing(server: RedisServer, storage: Storage, put: Function) -> None:
    assert storage.call(Call(put, [b"k"], [b"v"])) == b"OK"
    server.client.function_flush()
    assert storage.calls([Call(put, [b"%d" % i], [i]) for i in range(100)]) == [b"OK"] * 100


def test_another_version_lives_beside(storage: Storage, put: Function, tmp_path: Path) -> None:
    louder = COMMANDS["put"].replace("args[1])", "args[1] .. '!')")
    newer = library_of(tmp_path / "newer", {"put": louder}).function("test_put")
    for function, value in ((put, b"v"), (newer, b"v!"), (put, b"v")):
        storage.call(Call(function, [b"k"], [b"v"]))
        assert storage.each_node("GET", "k") == [value]


def test_a_read_cannot_write(storage: Storage, put: Function) -> None:
    with pytest.raises(StorageUnavailableError):
        storage.call(Call(put, [b"k"], [b"v"], read_only=True))


def test_nothing_is_connected_to_before_the_first_call(put: Function) -> None:
    storage = Storage(parse_location("redis://127.0.0.1:1"), timeout=TIMEOUT)
    assert seconds(lambda: storage.call(Call(put, [b"k"], [b"v"]))) < TIMEOUT


def test_a_name_that_leads_nowhere_is_not_available(put: Function) -> None:
    storage = Storage(parse_location("redis://storage.invalid"), timeout=TIMEOUT)
    assert seconds(lambda: storage.call(Call(put, [b"k"], [b"v"]))) < 2 * TIMEOUT


def test_a_function_that_fails_is_the_storages_fault(
    storage: Storage, library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert seconds(lambda: storage.call(Call(library.function("test_fail"), [b"k"]))) < TIMEOUT
    assert "fail.lua:2: broken" in caplog.text


class TestPaused:
    def test_a_call_ends_in_time_and_the_next_ones_do_not_wait(
        self, server: RedisServer, storage: Storage, put: Function, caplog: pytest.LogCaptureFixture
    ) -> None:
        storage.call(Call(put, [b"k"], [b"v"]))
        server.pause()
        assert TIMEOUT <= seconds(lambda: storage.call(Call(put, [b"k"], [b"w"]))) < TIMEOUT + 0.5
        for _ in range(3):
            assert seconds(lambda: storage.call(Call(put, [b"k"], [b"w"]))) < PAUSE_SECONDS
        server.resume()
        until_it_answers(storage.ping)
        assert "does not answer" in caplog.text
        assert "answers again" in caplog.text
        assert caplog.text.count("does not answer") == 1

    def test_what_it_had_received_is_done_later(
        self, server: RedisServer, storage: Storage, library: Library, read: Function
    ) -> None:
        append = Call(library.function("test_append"), [b"k"], [b"x"])
        storage.call(append)
        server.pause()
        seconds(lambda: storage.call(append))
        server.resume()
        server.wait(lambda: server.client.get("k") == b"xx")
        assert until_it_answers(lambda: storage.call(Call(read, [b"k"], read_only=True))) == b"xx"

    def test_all_of_a_request_shares_one_deadline(self, server: RedisServer, storage: Storage, put: Function) -> None:
        server.pause()
        begun = time.monotonic()
        with deadline(TIMEOUT / 4):
            for _ in range(10):
                seconds(lambda: storage.call(Call(put, [b"k"], [b"v"])))
        assert time.monotonic() - begun < TIMEOUT
        server.resume()
        # The calls with little time have not made later ones fail.
        assert storage.call(Call(put, [b"k"], [b"v"])) == b"OK"

    def test_a_request_that_waited_too_long_asks_nothing(self, storage: Storage, put: Function) -> None:
        with deadline(TIMEOUT, begun=time.monotonic() - TIMEOUT):
            assert seconds(lambda: storage.call(Call(put, [b"k"], [b"v"]))) < TIMEOUT / 2
        assert storage.each_node("EXISTS", "k") == [0]

    def test_one_at_a_time_tries_again(self, server: RedisServer, storage: Storage, put: Function) -> None:
        server.pause()
        seconds(lambda: storage.call(Call(put, [b"k"], [b"v"])))
        limit = time.monotonic() + PAUSE_SECONDS
        while time.monotonic() < limit:
            pass
        waits: list[float] = []

        def call() -> None:
            waits.append(seconds(lambda: storage.call(Call(put, [b"k"], [b"v"]))))

        threads = [threading.Thread(target=call) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(waits) == 8
        assert sum(wait >= TIMEOUT * TRIAL_SHARE for wait in waits) == 1
        assert max(waits) < TIMEOUT  # it gives that little of its time
        server.resume()

    def test_a_large_write_that_is_not_taken_ends_in_time(
        self, server: RedisServer, storage: Storage, put: Function
    ) -> None:
        server.pause()
        assert seconds(lambda: storage.call(Call(put, [b"k"], [b"v" * 2**24]))) < TIMEOUT + 0.5
        server.resume()


def test_recovers_by_itself_from_a_restart(
    server: RedisServer, storage: Storage, put: Function, read: Function
) -> None:
    connections = [threading.Thread(target=storage.call, args=[Call(put, [b"k"], [b"v"])]) for _ in range(8)]
    for thread in connections:
        thread.start()
    for thread in connections:
        thread.join()
    server.kill()
    assert seconds(lambda: storage.call(Call(put, [b"k"], [b"v"]))) < TIMEOUT
    server.start()
    until_it_answers(storage.ping)
    # Connections to the old server are not reused.
    for _ in range(10):
        assert storage.call(Call(read, [b"k"], read_only=True)) is None


def test_a_restart_between_two_calls_is_not_noticed(server: RedisServer, storage: Storage, put: Function) -> None:
    storage.call(Call(put, [b"k"], [b"v"]))
    server.kill()
    server.start()
    assert storage.call(Call(put, [b"k"], [b"v"])) == b"OK"


def test_a_full_storage_still_reads(server: RedisServer, storage: Storage, put: Function, read: Function) -> None:
    storage.call(Call(put, [b"k"], [b"v"]))
    server.client.config_set("maxmemory", 1)
    with pytest.raises(StorageFullError):
        storage.call(Call(put, [b"k"], [b"w"]))
    assert storage.call(Call(read, [b"k"], read_only=True)) == b"v"
    server.client.config_set("maxmemory", 0)
    assert storage.call(Call(put, [b"k"], [b"w"])) == b"OK"


def test_a_wrong_password_is_not_available_and_not_told(
    server: RedisServer, put: Function, caplog: pytest.LogCaptureFixture
) -> None:
    server.client.config_set("requirepass", "right")
    for password, answers in (("right", True), ("wrong", False), (None, False)):
        place = f"{':' + password + '@' if password else ''}127.0.0.1:{server.port}"
        storage = Storage(parse_location(f"redis://{place}"), timeout=TIMEOUT)
        if answers:
            assert storage.call(Call(put, [b"k"], [b"v"])) == b"OK"
        else:
            assert seconds(lambda storage=storage: storage.call(Call(put, [b"k"], [b"v"]))) < TIMEOUT  # type: ignore[misc]
    assert "wrong" not in caplog.text.replace("WRONGPASS", "")


def test_databases_are_apart(server: RedisServer, put: Function) -> None:
    for database in (0, 3):
        url = f"redis://127.0.0.1:{server.port}/{database}"
        Storage(parse_location(url), timeout=TIMEOUT).call(Call(put, [b"k"], [database]))
    assert server.client.get("k") == b"0"


def test_a_forked_process_has_connections_of_its_own(storage: Storage, put: Function, read: Function) -> None:
    storage.call(Call(put, [b"k"], [b"parent"]))
    reader, writer = socket.socketpair()
    process = os.fork()
    if process == 0:
        try:
            for _ in range(100):
                assert storage.call(Call(put, [b"child"], [b"v"])) == b"OK"
            writer.sendall(b"done")
        finally:
            os._exit(0)
    for _ in range(100):
        assert storage.call(Call(read, [b"k"], read_only=True)) == b"parent"
    os.waitpid(process, 0)
    assert reader.recv(4) == b"done"
    for end in (reader, writer):
        end.close()


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    cluster = RedisCluster()
    yield cluster
    cluster.stop()


class TestCluster:
    def test_calls_go_to_the_nodes_of_their_keys(self, cluster: RedisCluster, put: Function, read: Function) -> None:
        storage = Storage(parse_location(cluster.url), timeout=10)
        keys = [b"key %d" % i for i in range(300)]
        assert set(storage.calls([Call(put, [key], [key]) for key in keys])) == {b"OK"}
        assert storage.calls([Call(read, [key], read_only=True) for key in keys]) == keys
        assert sum(storage.each_node("DBSIZE")) >= 300
        assert all(storage.each_node("DBSIZE"))

    def test_one_start_node_that_lives_is_enough(self, cluster: RedisCluster, put: Function) -> None:
        url = f"redis+cluster://127.0.0.1:1,127.0.0.1:{cluster.servers[2].port}"
        storage = Storage(parse_location(url), timeout=10)
        assert storage.calls([Call(put, [b"%d" % i], [i]) for i in range(50)]) == [b"OK"] * 50

    def test_a_slot_that_moves_is_followed(self, cluster: RedisCluster, put: Function, read: Function) -> None:
        storage = Storage(parse_location(cluster.url), timeout=10)
        key = b"moving"
        storage.call(Call(put, [key], [b"v"]))
        slot = key_slot(key)
        clients = [server.client for server in cluster.servers]
        names = [client.execute_command("CLUSTER MYID").decode() for client in clients]
        source = next(i for i, client in enumerate(clients) if client.execute_command("CLUSTER COUNTKEYSINSLOT", slot))
        target = (source + 1) % 3
        clients[target].execute_command("CLUSTER SETSLOT", slot, "IMPORTING", names[source])
        clients[source].execute_command("CLUSTER SETSLOT", slot, "MIGRATING", names[target])
        assert storage.call(Call(read, [key], read_only=True)) == b"v"  # not moved yet
        clients[source].execute_command("MIGRATE", "127.0.0.1", cluster.servers[target].port, key, 0, 5_000)
        assert storage.call(Call(read, [key], read_only=True)) == b"v"  # by ASK
        assert storage.call(Call(put, [key], [b"w"])) == b"OK"
        for client in (clients[target], clients[source]):
            client.execute_command("CLUSTER SETSLOT", slot, "NODE", names[target])
        assert storage.call(Call(read, [key], read_only=True)) == b"w"  # by MOVED
        assert storage.call(Call(read, [key], read_only=True)) == b"w"

    def test_one_node_away_is_only_its_keys_away(self, cluster: RedisCluster, put: Function) -> None:
        storage = Storage(parse_location(cluster.url), timeout=TIMEOUT)
        storage.calls([Call(put, [b"%d" % i], [i]) for i in range(50)])
        cluster.servers[0].pause()
        everywhere = [Call(put, [b"%d" % i], [i]) for i in range(50)]
        assert seconds(lambda: storage.calls(everywhere)) < TIMEOUT + 0.5
        cluster.servers[0].resume()
        assert until_it_answers(lambda: storage.calls(everywhere)) == [b"OK"] * 50


def test_a_replica_takes_over(put: Function, read: Function) -> None:
    cluster = RedisCluster(replicas=1)
    try:
        # Only masters are named; the client learns of the replicas from them.
        addresses = ",".join(f"127.0.0.1:{server.port}" for server in cluster.servers[:3])
        storage = Storage(parse_location(f"redis+cluster://{addresses}"), timeout=TIMEOUT)
        keys = [b"%d" % i for i in range(60)]
        storage.calls([Call(put, [key], [key]) for key in keys])
        for server in cluster.servers[:3]:
            # One connection writes and waits: what it wrote is on the replica then.
            client = server.client.client()
            server.wait(lambda client=client: client.wait(1, 100) == 1)  # type: ignore[misc]
        cluster.servers[0].kill()
        calls = [Call(read, [key], read_only=True) for key in keys]
        begun = time.monotonic()
        seconds(lambda: storage.calls(calls))
        assert time.monotonic() - begun < TIMEOUT + 0.5
        # A mere ping notices the failover too.
        until_it_answers(storage.ping)
        assert until_it_answers(lambda: storage.calls(calls)) == keys
    finally:
        cluster.stop()
