"""SIGTERM and SIGINT to the production server, at whatever moment: it ends soon, with 0, and says nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.served import Served
from timeseries_project.serving.process import STOP_SECONDS
from timeseries_project.tests.redis_servers import RedisServer

SIGNALS = (signal.SIGTERM, signal.SIGINT)
#: More tries would find what happens rarely: a signal used to be lost in one of four.
TRIES = 3
SERVING = "Serving at http://127.0.0.1:"


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.stop()


def ended(served: Served, *, after: str = "") -> None:
    """Wait until it has ended, for less than it would wait for requests, and look at what it left.

    It says nothing, but for what its storage promises, at the start.
    """
    out, err = served.process.communicate(timeout=STOP_SECONDS - 2)
    said = [line for line in err.splitlines() if "acknowledged writes" not in line]
    assert (served.process.returncode, out, said) == (0, after, [])


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_as_soon_as_it_says_that_it_serves(redis: RedisServer, number: int, workers: str) -> None:
    for _ in range(TRIES):
        with Served(WORKERS=workers, STORAGE_URL=redis.url) as served:
            assert served.process.stdout is not None
            assert served.process.stdout.readline() == f"{SERVING}{served.port}/\n"
            served.process.send_signal(number)
            ended(served)


@pytest.mark.parametrize("number", SIGNALS)
def test_while_it_serves(number: int) -> None:
    with Served() as served:
        served.wait()
        with served.connect() as idle:
            served.process.send_signal(number)
            assert idle.recv(1) == b""
        ended(served, after=f"{SERVING}{served.port}/\n")


@pytest.mark.parametrize("number", SIGNALS)
def test_while_the_listing_is_loaded(number: int, tmp_path: Path) -> None:
    listing = tmp_path / "listing.json"
    os.mkfifo(listing)
    with Served(BANDWIDTHS_FILE=str(listing)) as served, listing.open("w"):  # it has begun to read
        served.process.send_signal(number)
        ended(served)


@pytest.mark.parametrize("number", SIGNALS)
def test_while_the_kernels_are_compiled(number: int, tmp_path: Path) -> None:
    with Served(NUMBA_CACHE_DIR=str(tmp_path)) as served:
        assert served.process.stderr is not None
        assert served.process.stderr.readline().startswith("Compiling, once: ")
        served.process.send_signal(number)
        ended(served)


def test_a_second_signal_changes_nothing(tmp_path: Path) -> None:
    with Served() as served:
        served.wait()
        for number in (*SIGNALS, *SIGNALS):
            served.process.send_signal(number)
        ended(served, after=f"{SERVING}{served.port}/\n")
