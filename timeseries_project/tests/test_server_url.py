"""The address where the server listens, which is also where `load` and `simulate` look for it."""

from __future__ import annotations

import pytest

from timeseries_project import env
from timeseries_project.tests.processes import run


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("", "", "http://127.0.0.1:8000"),
        ("stats.example.org", "80", "http://stats.example.org:80"),
        ("0.0.0.0", "8080", "http://127.0.0.1:8080"),
        ("::", "8080", "http://[::1]:8080"),
        ("fe80::1", "8080", "http://[fe80::1]:8080"),
        ("[fe80::1]", "8080", "http://[fe80::1]:8080"),
    ],
)
def test_it_follows_host_and_port(monkeypatch: pytest.MonkeyPatch, host: str, port: str, url: str) -> None:
    monkeypatch.setenv("HOST", host)
    monkeypatch.setenv("PORT", port)
    assert env.server_url() == url


def test_a_url_that_is_given_counts_more() -> None:
    given = ("simulate", "--url", "http://127.0.0.1:1", "--duration", "1")
    status, _, err = run(*given, PORT="2")
    assert (status, err) == (1, "CommandError: http://127.0.0.1:1 does not answer: Connection refused.\n")
    status, _, err = run(*given[:1], *given[3:], PORT="1")
    assert (status, err) == (1, "CommandError: http://127.0.0.1:1 does not answer: Connection refused.\n")


def test_a_bad_port_is_one_line() -> None:
    status, out, err = run("load", "points.csv", PORT="http")
    assert (status, out, err) == (1, "", "PORT: must be a whole number from 1 to 65535, not 'http'.\n")
