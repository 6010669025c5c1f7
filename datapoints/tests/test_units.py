"""Times in a wrong unit, or spelt as nobody means them, are refused, and the answer says what is wrong."""

from __future__ import annotations

import json

import pytest
from rest_framework.test import APIClient

from datapoints.tests.requests import POINT, post, post_raw, stored
from timeseries_project.tests.problems import fields, problem

pytestmark = [pytest.mark.usefixtures("now"), pytest.mark.storages("redis", "cluster")]

SECONDS = 1_769_860_800  # noon
HEADER = "timestamp,value,device,user\n"
RANGES = (
    "/datapoints?",
    "/statistics/devices/d/avg?",
    "/statistics/users/u/moving_avg?window_size=2&",
    "/statistics/devices/d/percentile?q=0.5&",
    "/charts/datapoints?device=d&",
)


class TestQueries:
    @pytest.mark.parametrize("path", RANGES)
    @pytest.mark.parametrize("name", ["start", "end"])
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (SECONDS * 1_000, "the number looks like milliseconds, but epoch seconds are expected."),
            (SECONDS * 10**6, "the number looks like microseconds, but epoch seconds are expected."),
            (SECONDS * 10**9, "the number looks like nanoseconds, but epoch seconds are expected."),
            ("1.7698608e12", "the number looks like milliseconds, but epoch seconds are expected."),
            (253_402_300_800, "lies beyond the year 9999; epoch seconds are expected."),
            ("20260131120000", "lies beyond the year 9999; epoch seconds are expected."),
            ("9" * 400, "lies beyond the year 9999; epoch seconds are expected."),
            ("9999-12-31T23:59:59-23:59", "lies beyond the year 9999."),
            ("2026", "could be a year: write 2026-01-01, or 2026.0 for epoch seconds."),
            ("20260131", "could be a date: write 2026-01-31, or 20260131.0 for epoch seconds."),
            ("20263101", "could be a date: write dates like 2026-01-31, or 20263101.0 for epoch seconds."),
        ],
    )
    def test_what_nobody_means(self, api: APIClient, path: str, name: str, text: object, words: str) -> None:
        post(api, POINT)
        response = api.get(f"{path}{name}={text}")
        if path.startswith("/charts"):
            assert response.status_code == 400
            assert f"{name} " in response.content.decode()
            return
        body = problem(response, 400)
        assert fields(body) == [name]
        assert body["detail"].endswith(words)

    @pytest.mark.parametrize("text", ["2026.0", "20260131.0", "02026", "0", "9999-12-31T23:59:59Z", "253402300799"])
    def test_what_can_be_meant(self, api: APIClient, text: str) -> None:
        post(api, POINT)
        for path in RANGES:
            assert api.get(f"{path}start={text}").status_code == 200

    @pytest.mark.parametrize("digits", [20, 400, 4_300, 6_000, 30_000])
    def test_a_long_limit_is_told_its_range(self, api: APIClient, digits: int) -> None:
        body = problem(api.get(f"/datapoints?limit={'9' * digits}"), 400)
        assert body["detail"] == "limit must be from 1 to 10000."


class TestBodies:
    @pytest.mark.parametrize(
        ("cell", "words"),
        [
            ("2024", "could be a year: write 2024-01-01, or 2024.0 for epoch seconds."),
            ("20240131", "could be a date: write 2024-01-31, or 20240131.0 for epoch seconds."),
            ('" 20240131 "', "could be a date: write 2024-01-31, or 20240131.0 for epoch seconds."),
        ],
    )
    def test_a_year_or_date_without_separators_in_csv(self, api: APIClient, cell: str, words: str) -> None:
        body = problem(post_raw(api, f"{HEADER}1769857200,1,d,u\n{cell},1,d,u\n", "text/csv"), 400)
        assert body["detail"] == f"item 1, line 3: timestamp {words}"
        assert stored(api) == []

    @pytest.mark.parametrize("number", [2024, 20240131])
    def test_numbers_stay_numbers_in_json(self, api: APIClient, number: int) -> None:
        assert post(api, POINT | {"timestamp": number}).status_code == 201
        assert post_raw(api, f"{HEADER}{number + 1}.0,1,d,u\n", "text/csv").status_code == 201
        assert stored(api)[0]["timestamp"].startswith("1970-")

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("2024", "could be a year"),
            ("20240131", "could be a date"),
            ("1769857200", "must be a number without quotes if it is epoch seconds"),
            ("2026-01-31T12:00:00 01:00", "must be an ISO 8601 date and time"),
        ],
    )
    def test_text_that_is_no_date(self, api: APIClient, text: str, words: str) -> None:
        assert words in problem(post(api, POINT | {"timestamp": text}), 400)["detail"]

    def test_a_number_in_quotes_is_told_so(self, api: APIClient) -> None:
        assert problem(post(api, POINT | {"value": "12"}), 400)["detail"] == "value must be a number, without quotes."

    def test_a_date_is_not_taken_for_milliseconds(self, api: APIClient) -> None:
        body = problem(post(api, POINT | {"timestamp": "9999-12-31T23:59:59-23:59"}), 422)
        assert body["detail"] == "timestamp lies in the future, more than 5 s ahead of the server's clock."

    def test_a_byte_order_mark_is_passed_over_in_json(self, api: APIClient) -> None:
        for i, form in enumerate(("{}", "[{}]", " [{}\n]\n")):
            item = json.dumps(POINT | {"timestamp": i})
            assert post_raw(api, "\ufeff" + form.replace("{}", item)).status_code == 201
        assert len(stored(api)) == 3

    @pytest.mark.parametrize("number", ["1" * 6_000, "1e999", "-1e999"])
    def test_json_numbers_that_cannot_be_held(self, api: APIClient, number: str) -> None:
        for form in ("%s", "[%s]"):
            body = form % json.dumps(POINT).replace("20.5", number)
            assert "number that no double can hold" in problem(post_raw(api, body), 400)["detail"]
