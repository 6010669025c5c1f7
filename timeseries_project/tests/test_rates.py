"""Rate limits: counting, identifying the client, and the refusal that says when to retry."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from timeseries_project.api import throttling
from timeseries_project.api.rate_limiter import RateLimiter
from timeseries_project.core import clock
from timeseries_project.env import Rate
from timeseries_project.tests.headers import BROWSER
from timeseries_project.tests.problems import problem

PATHS = ["/devices", "/api/statistics", "/nope", "/", "/charts/bandwidth", "/api/schema/", "/api/docs/"]


@pytest.fixture
def move(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A function that lets seconds pass."""
    elapsed = 1000.0
    monkeypatch.setattr(clock, "elapsed", lambda: elapsed)

    def pass_by(seconds: float) -> None:
        nonlocal elapsed
        elapsed += seconds

    return pass_by


@pytest.fixture
def three_a_minute(move: Callable[[float], None]) -> Iterator[None]:
    throttling._limiter.cache_clear()
    with override_settings(RATE_LIMIT=Rate(3, 60)):
        yield


class TestLimiter:
    def test_as_many_at_once_as_there_may_be_then_one_by_one(self) -> None:
        limiter = RateLimiter(count=3, seconds=60)
        assert [limiter.ask("a", now=5.0) for _ in range(4)] == [0, 0, 0, 20]
        assert limiter.ask("a", now=24.0) == pytest.approx(1)
        assert [limiter.ask("a", now=25.0) for _ in range(2)] == [0, 20]
        assert [limiter.ask("a", now=1e6) for _ in range(4)] == [0, 0, 0, 20]

    @pytest.mark.parametrize("count", [1, 3, 7, 1_000, 999_999_999])
    @pytest.mark.parametrize("seconds", [1, 60, 3_600, 86_400])
    def test_nothing_is_rounded(self, count: int, seconds: int) -> None:
        limiter = RateLimiter(count=count, seconds=seconds)
        asked = min(count, 2_000)
        assert not any(limiter.ask("a", now=0.1) for _ in range(asked))
        assert bool(limiter.ask("a", now=0.1)) == (asked == count)

    @given(st.integers(1, 20), st.integers(1, 100), st.lists(st.floats(0, 30), max_size=100))
    def test_lets_through_what_an_allowance_that_fills_evenly_would(
        self, count: int, seconds: int, pauses: list[float]
    ) -> None:
        limiter = RateLimiter(count=count, seconds=seconds)
        allowance, now = float(count), 0.0
        for pause in pauses:
            now += pause
            allowance = min(count, allowance + pause * count / seconds)
            if abs(allowance - 1) > 1e-6:  # at the edge the oracle's own rounding would decide
                early = limiter.ask("a", now=now)
                assert (early == 0) == (allowance >= 1)
                if early:
                    assert early == pytest.approx((1 - allowance) * seconds / count, abs=1e-6)
                else:
                    allowance -= 1

    def test_remembers_so_many_clients_and_forgets_who_was_quiet_for_longest(self) -> None:
        limiter = RateLimiter(count=1, seconds=60, most=3)
        for name in "abc":
            assert not limiter.ask(name, now=1.0)
        assert limiter.ask("a", now=2.0)
        for i in range(1_000):
            limiter.ask(str(i), now=3.0)
            assert limiter.ask("a", now=3.0)
            assert len(limiter) == 3
        assert not limiter.ask("b", now=3.0)


@pytest.mark.usefixtures("three_a_minute")
class TestRequests:
    @pytest.mark.parametrize("path", PATHS)
    def test_that_come_too_often_are_told_when_to_come_again(
        self, api: APIClient, path: str, move: Callable[[float], None]
    ) -> None:
        assert {api.get(path).status_code for _ in range(3)} == {404 if path == "/nope" else 200}
        response = api.get(path)
        problem(response, 429)
        assert response["Retry-After"] == "20"
        move(0.5)
        assert api.get(path)["Retry-After"] == "20"
        move(19)
        assert api.get(path)["Retry-After"] == "1"
        move(0.5)
        assert api.get(path).status_code != 429

    def test_of_an_unknown_aggregate_count_too(self, api: APIClient) -> None:
        path = "/statistics/devices/d/mode"
        assert [api.get(path).status_code for _ in range(4)] == [404, 404, 404, 429]

    def test_of_a_browser_get_a_page(self, api: APIClient) -> None:
        for path in ("/devices", "/", "/nope", "/devices"):
            response = api.get(path, headers={"Accept": BROWSER})
        assert (response.status_code, response["Retry-After"]) == (429, "20")
        assert "&quot;detail&quot;" in response.content.decode()

    @pytest.mark.parametrize("path", ["/healthz", "/static/style.css"])
    def test_of_whoever_watches_are_not_counted(self, api: APIClient, path: str) -> None:
        for _ in range(10):
            response = api.get(path)
            response.close()
            assert response.status_code == 200

    def test_that_are_refused_for_their_token_count_as_well(self, api: APIClient) -> None:
        with override_settings(API_TOKENS=("t",)):
            for _ in range(3):
                problem(api.delete("/api/transactions"), 401)
            problem(api.delete("/api/transactions", headers={"Authorization": "Bearer t"}), 429)

    def test_guesses_in_the_form_count_too(self, api: APIClient) -> None:
        with override_settings(API_TOKENS=("t",)):
            form = {"content_type": "application/x-www-form-urlencoded"}
            statuses = [api.generic("POST", "/sign-in", "token=x", **form).status_code for _ in range(4)]
        assert statuses == [401, 401, 401, 429]

    def test_of_one_client_do_not_count_for_another(self, api: APIClient) -> None:
        for _ in range(4):
            last = api.get("/devices", REMOTE_ADDR="192.0.2.1")
        problem(last, 429)
        assert api.get("/devices", REMOTE_ADDR="192.0.2.2").status_code == 200

    def test_cannot_be_ascribed_to_others_by_a_header(self, api: APIClient) -> None:
        statuses = [api.get("/devices", headers={"X-Forwarded-For": f"192.0.2.{i}"}).status_code for i in range(4)]
        assert statuses == [200, 200, 200, 429]


@pytest.mark.parametrize(
    ("hops", "forwarded", "client"),
    [
        (0, "192.0.2.1", "127.0.0.1"),
        (1, None, "127.0.0.1"),
        (1, "192.0.2.1", "192.0.2.1"),
        (1, "invented, 192.0.2.1", "192.0.2.1"),
        (2, "invented,192.0.2.1 , 198.51.100.7", "192.0.2.1"),
        (3, "192.0.2.1", "192.0.2.1"),
        (1, "192.0.2.1:5678", "192.0.2.1"),
        (1, "[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1:2::"),
        (1, "2001:db8:1:2:ffff::9", "2001:db8:1:2::"),
        (1, "::ffff:192.0.2.1", "192.0.2.1"),
        (1, "unknown", "unknown"),
        (1, "x" * 1_000, "x" * 64),
        (1, "", ""),
    ],
)
def test_whose_request_it_is(hops: int, forwarded: str | None, client: str) -> None:
    meta = {"REMOTE_ADDR": "127.0.0.1"} | ({} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded})
    with override_settings(TRUSTED_PROXIES=hops):
        assert throttling.client_address(meta) == client
