"""The commands `load` and `simulate` against a server that requires a token and limits rates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.served import LINE, Developed, Served
from timeseries_project.tests.processes import run

TOKEN = "a-secret-of-some-length"


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """A server that requires a token, even for reads, and accepts ten requests a second."""
    with Served(API_TOKENS=TOKEN, API_TOKENS_FOR_READS="true", RATE_LIMIT="10/s") as served:
        served.wait()
        yield served
        assert served.stop() == 0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "points.ndjson"
    path.write_text("".join(LINE % (i, tmp_path.name) for i in range(100)))
    return path


@pytest.mark.parametrize("options", [(), ("--gzip",)])
def test_load_has_the_token_and_waits_when_it_is_told_to(server: Served, file: Path, options: tuple[str, ...]) -> None:
    url = f"http://127.0.0.1:{server.port}"
    status, out, err = run("load", file, "--url", url, "--batch-size", 5, *options, API_TOKEN=TOKEN)
    assert (status, err) == (0, "")
    assert "datapoints: 100 sent, 100 created, 0 skipped as known" in out
    assert ", 0 retries" not in out


def test_simulate_has_it_too(server: Served) -> None:
    url = f"http://127.0.0.1:{server.port}"
    status, out, err = run("simulate", "--url", url, "--token", TOKEN, "--duration", "1", "--no-history", "--rate", 5)
    assert (status, err) == (0, "")
    assert "in all: " in out


@pytest.mark.parametrize("token", ["", "secret"])
def test_without_a_good_token_the_reason_is_one_line(server: Served, file: Path, token: str) -> None:
    url = f"http://127.0.0.1:{server.port}"
    status, _, err = run("load", file, "--url", url, API_TOKEN=token)
    assert (status, len(err.splitlines())) == (1, 1)
    assert "401 Unauthorized" in err
    assert not token or f"{token} " not in err


@pytest.mark.parametrize(("token", "lines"), [("fifteen-letters", 1), ("sixteen--letters", 0)])
def test_a_short_token_draws_one_line_at_the_start(token: str, lines: int) -> None:
    with Served(API_TOKENS=f"{TOKEN},{token}") as served:
        served.wait()
        status, _, log = served.stopped()
        assert (status, len(log.splitlines())) == (0, lines)
        assert token not in log
        assert ("API_TOKENS" in log) == bool(lines)


def test_the_development_server_says_so_once_too() -> None:
    with Developed(API_TOKENS="short-token") as served:
        served.wait()
        _, _, log = served.stopped()
        assert log.count("API_TOKENS") == 1
        assert "short-token" not in log
