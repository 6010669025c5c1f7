"""Transactions over HTTP: what counts, for how long, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from timeseries_project.tests.problems import fields, problem

pytestmark = pytest.mark.storages("redis", "cluster")

ZEROS = {"sum": 0, "avg": 0, "max": 0, "min": 0, "count": 0}


def post(api: APIClient, body: object) -> Any:
    return api.post("/api/transactions", json.dumps(body), content_type="application/json")


def statistics(api: APIClient) -> dict[str, float]:
    answer: dict[str, float] = api.get("/api/statistics").json()
    return answer


@pytest.fixture
def ms(now: int) -> int:
    """The clock's time in milliseconds."""
    return now * 1_000


class TestStatistics:
    def test_are_zeros_without_transactions(self, api: APIClient) -> None:
        assert statistics(api) == ZEROS
        assert list(statistics(api)) == ["sum", "avg", "max", "min", "count"]

    def test_of_amounts_of_either_sign(self, api: APIClient, ms: int) -> None:
        for amount in (12.5, -5, 0):
            response = post(api, {"amount": amount, "timestamp": ms})
            assert (response.status_code, response.content) == (201, b"")
        assert statistics(api) == {"sum": 7.5, "avg": 2.5, "max": 12.5, "min": -5, "count": 3}

    @pytest.mark.parametrize(("age", "status"), [(0, 201), (59_999, 201), (60_000, 201), (60_001, 204), (10**12, 204)])
    def test_older_than_sixty_seconds_is_not_counted(self, api: APIClient, ms: int, age: int, status: int) -> None:
        response = post(api, {"amount": 1, "timestamp": ms - age})
        assert (response.status_code, response.content) == (status, b"")
        assert statistics(api)["count"] == (status == 201)

    def test_expire_to_the_millisecond(self, api: APIClient, ms: int, set_clock: Callable[[str], int]) -> None:
        post(api, {"amount": 1, "timestamp": ms})
        set_clock("2026-01-31T12:01:00.000Z")
        assert statistics(api)["count"] == 1
        set_clock("2026-01-31T12:01:00.001Z")
        assert statistics(api) == ZEROS

    def test_a_spike_leaves_no_trace(self, api: APIClient, ms: int, set_clock: Callable[[str], int]) -> None:
        post(api, [{"amount": 1e16, "timestamp": ms}, {"amount": 1, "timestamp": ms + 1}])
        set_clock("2026-01-31T12:01:00.001Z")
        assert statistics(api) == {"sum": 1, "avg": 1, "max": 1, "min": 1, "count": 1}

    def test_deleting_forgets_all(self, api: APIClient, ms: int) -> None:
        post(api, {"amount": 1, "timestamp": ms})
        assert api.delete("/api/transactions").status_code == 204
        assert api.delete("/api/transactions").status_code == 204
        assert statistics(api) == ZEROS


class TestWindow:
    """`window` chooses how many seconds the statistics go back."""

    def test_counts_what_is_so_old_at_most(self, api: APIClient, ms: int) -> None:
        post(api, [{"amount": age, "timestamp": ms - age} for age in (0, 1_000, 1_001, 10_000, 10_001, 60_000)])
        counts = {window: api.get(f"/api/statistics?window={window}").json()["count"] for window in (1, 10, 11, 60)}
        assert counts == {1: 2, 10: 4, 11: 5, 60: 6}
        assert api.get("/api/statistics?window=1").json() == {
            "sum": 1000,
            "avg": 500,
            "max": 1000,
            "min": 0,
            "count": 2,
        }

    def test_is_sixty_seconds_by_default(self, api: APIClient, ms: int) -> None:
        post(api, {"amount": 1, "timestamp": ms - 60_000})
        assert statistics(api) == api.get("/api/statistics?window=60").json() != ZEROS

    @pytest.mark.parametrize("window", ["0", "61", "1.5", "abc", "", "-1", "1e1", "%2B5", "1" * 5_000])
    def test_what_is_no_number_of_seconds(self, api: APIClient, window: str) -> None:
        assert fields(problem(api.get(f"/api/statistics?window={window}"), 400)) == ["window"]

    def test_given_twice(self, api: APIClient) -> None:
        assert fields(problem(api.get("/api/statistics?window=5&window=5"), 400)) == ["window"]


class TestHistory:
    @staticmethod
    def history(api: APIClient) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = api.get("/api/statistics/history").json()
        return rows

    def test_has_a_row_for_each_of_the_last_600_seconds(self, api: APIClient, ms: int) -> None:
        post(api, [{"amount": 12.5, "timestamp": ms}, {"amount": -5, "timestamp": ms + 999}])
        rows = self.history(api)
        assert len(rows) == 600
        assert rows[0] == {"timestamp": "2026-01-31T11:50:01Z", "count": 0, "sum": None, "min": None, "max": None}
        assert rows[-2]["timestamp"] == "2026-01-31T11:59:59Z"
        assert rows[-1] == {"timestamp": "2026-01-31T12:00:00Z", "count": 2, "sum": 7.5, "min": -5, "max": 12.5}
        assert list(rows[-1]) == ["timestamp", "count", "sum", "min", "max"]

    def test_comes_in_csv_too(self, api: APIClient, ms: int) -> None:
        post(api, {"amount": 0.5, "timestamp": ms})
        for asked in (
            api.get("/api/statistics/history?format=csv"),
            api.get("/api/statistics/history", headers={"Accept": "text/csv"}),
        ):
            lines = asked.content.decode().splitlines()
            assert (len(lines), lines[0]) == (601, "timestamp,count,sum,min,max")
            assert lines[1] == "2026-01-31T11:50:01Z,0,,,"
            assert lines[-1] == "2026-01-31T12:00:00Z,1,0.5,0.5,0.5"

    def test_outlasts_the_window(self, api: APIClient, ms: int, set_clock: Callable[[str], int]) -> None:
        post(api, {"amount": 1, "timestamp": ms})
        set_clock("2026-01-31T12:09:59.999Z")
        assert statistics(api) == ZEROS
        assert self.history(api)[0]["count"] == 1
        set_clock("2026-01-31T12:10:00Z")
        assert not any(row["count"] for row in self.history(api))

    def test_deleting_forgets_it(self, api: APIClient, ms: int) -> None:
        post(api, {"amount": 1, "timestamp": ms})
        api.delete("/api/transactions")
        assert not any(row["count"] for row in self.history(api))

    def test_takes_no_parameters(self, api: APIClient) -> None:
        for query in ("window=10", "limit=5", "x=1"):
            problem(api.get(f"/api/statistics/history?{query}"), 400)

    def test_only_reads(self, api: APIClient) -> None:
        problem(api.delete("/api/statistics/history"), 405)


class TestBatch:
    def test_counts_what_is_young_enough(self, api: APIClient, ms: int) -> None:
        batch = [{"amount": i, "timestamp": ms - age} for i, age in enumerate((0, 70_000, 59_000))]
        response = post(api, batch)
        assert (response.status_code, response.json()) == (201, {"accepted": 2, "expired": 1})
        assert statistics(api)["sum"] == 2

    def test_may_be_empty(self, api: APIClient) -> None:
        assert post(api, []).json() == {"accepted": 0, "expired": 0}

    @pytest.mark.parametrize("bad", [{"amount": 1}, {"amount": True, "timestamp": 1}, 5, None])
    def test_with_a_bad_item_counts_nothing(self, api: APIClient, ms: int, bad: object) -> None:
        body = problem(post(api, [{"amount": 1, "timestamp": ms}, bad]), 400)
        assert body["errors"][0]["index"] == 1
        assert statistics(api) == ZEROS

    def test_with_a_future_item_counts_nothing(self, api: APIClient, ms: int) -> None:
        body = problem(post(api, [{"amount": 1, "timestamp": ms}, {"amount": 1, "timestamp": ms + 5_001}]), 422)
        assert body["errors"][0]["index"] == 1
        assert statistics(api) == ZEROS


class TestInvalid:
    @pytest.mark.parametrize("field", ["amount", "timestamp"])
    @pytest.mark.parametrize("value", ["1", True, None, [], {}, "now"])
    def test_what_is_no_number(self, api: APIClient, ms: int, field: str, value: object) -> None:
        body = problem(post(api, {"amount": 1, "timestamp": ms} | {field: value}), 400)
        assert fields(body) == [field]

    @pytest.mark.parametrize("field", ["amount", "timestamp"])
    def test_a_missing_field(self, api: APIClient, ms: int, field: str) -> None:
        transaction = {"amount": 1, "timestamp": ms}
        del transaction[field]
        assert fields(problem(post(api, transaction), 400)) == [field]

    @pytest.mark.parametrize("amount", [1.7e308, -1.1e150, 10**400])
    def test_an_amount_out_of_range(self, api: APIClient, ms: int, amount: float) -> None:
        assert fields(problem(post(api, {"amount": amount, "timestamp": ms}), 400)) == ["amount"]

    @pytest.mark.parametrize("timestamp", [-1, 0.5, -1e300, -(10**400)])
    def test_a_timestamp_out_of_range(self, api: APIClient, timestamp: float) -> None:
        assert fields(problem(post(api, {"amount": 1, "timestamp": timestamp}), 400)) == ["timestamp"]

    @pytest.mark.parametrize("ahead", [5_001, 60_000, 10**13, 10**400])
    def test_a_timestamp_in_the_future(self, api: APIClient, ms: int, ahead: int) -> None:
        assert fields(problem(post(api, {"amount": 1, "timestamp": ms + ahead}), 422)) == ["timestamp"]

    def test_microseconds_are_told_so(self, api: APIClient, ms: int) -> None:
        assert "microseconds" in problem(post(api, {"amount": 1, "timestamp": ms * 1_000}), 422)["detail"]
        assert "nanoseconds" in problem(post(api, {"amount": 1, "timestamp": ms * 10**6}), 422)["detail"]

    @pytest.mark.parametrize("timestamp", [0, 1, 10**6, 1_769_860_800, 10**11])
    def test_what_lies_far_in_the_past_is_merely_old(self, api: APIClient, timestamp: int) -> None:
        assert post(api, {"amount": 1, "timestamp": timestamp}).status_code == 204

    def test_the_future_is_told_in_milliseconds(self, api: APIClient, ms: int) -> None:
        detail = problem(post(api, {"amount": 1, "timestamp": ms + 60_000}), 422)["detail"]
        assert detail.endswith("ahead of the server's clock; epoch milliseconds are expected.")

    def test_the_allowed_skew_counts_at_once(self, api: APIClient, ms: int) -> None:
        assert post(api, {"amount": 1, "timestamp": ms + 5_000}).status_code == 201
        assert statistics(api)["count"] == 1

    @pytest.mark.parametrize("body", ["", "{", "5", '"x"', "[1]", "null"])
    def test_a_body_that_is_none(self, api: APIClient, body: str) -> None:
        problem(api.generic("POST", "/api/transactions", body, content_type="application/json"), 400)
        assert statistics(api) == ZEROS

    def test_unknown_parameters(self, api: APIClient, ms: int) -> None:
        for method, url in (
            ("post", "transactions"),
            ("delete", "transactions"),
            ("get", "statistics"),
            ("get", "statistics/history"),
        ):
            problem(getattr(api, method)(f"/api/{url}?x=1"), 400)
