"""Adding datapoints over HTTP, one by one and in JSON arrays."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from datapoints.tests.requests import BATCH, NOON, POINT, post, post_raw, stored
from timeseries_project.tests.problems import fields, problem

pytestmark = [pytest.mark.usefixtures("now"), pytest.mark.storages("redis", "cluster")]


class TestOne:
    def test_is_stored_and_answered(self, api: APIClient) -> None:
        response = post(api, POINT)
        assert response.status_code == 201
        assert response.json() == POINT
        assert stored(api) == [POINT]

    def test_again_is_a_conflict_whatever_its_value(self, api: APIClient) -> None:
        post(api, POINT)
        body = problem(post(api, POINT | {"value": 99}), 409)
        assert "exists already" in body["detail"]
        assert stored(api) == [POINT]

    @pytest.mark.parametrize("other", [{"user": "v"}, {"device": "e"}, {"timestamp": "2026-01-31T11:00:00.000001Z"}])
    def test_with_another_user_device_or_microsecond_is_another(self, api: APIClient, other: dict[str, str]) -> None:
        post(api, POINT)
        assert post(api, POINT | other).status_code == 201
        assert len(stored(api)) == 2

    @pytest.mark.parametrize(
        "spelling",
        [
            1769857200,
            1769857200.0,
            "2026-01-31T11:00:00",
            "2026-01-31 11:00:00",
            "2026-01-31t11:00z",
            "2026-01-31T11",
            "2026-01-31T16:30:00+05:30",
            "2026-01-31T16:30:00+0530",
            "2026-01-31T08:00-03",
            "2026-01-31T11:00:00.0000009Z",
            "2026-01-31T11:00:00,0Z",
        ],
    )
    def test_one_instant_spelt_twice_is_one_timestamp(self, api: APIClient, spelling: object) -> None:
        post(api, POINT)
        problem(post(api, POINT | {"timestamp": spelling}), 409)

    def test_a_date_alone_is_its_midnight(self, api: APIClient) -> None:
        assert post(api, POINT | {"timestamp": "2026-01-31"}).json()["timestamp"] == "2026-01-31T00:00:00Z"

    def test_skipping_duplicates_counts(self, api: APIClient) -> None:
        assert post(api, POINT, "?on_duplicate=skip").json() == {"created": 1, "skipped": 0}
        response = post(api, POINT | {"value": 1}, "?on_duplicate=skip")
        assert (response.status_code, response.json()) == (201, {"created": 0, "skipped": 1})
        assert stored(api) == [POINT]

    def test_extra_fields_are_ignored(self, api: APIClient) -> None:
        assert post(api, POINT | {"unit": "°C", "Value": 7}).json() == POINT

    def test_of_a_repeated_key_the_last_counts(self, api: APIClient) -> None:
        body = json.dumps(POINT)[:-1] + ', "value": 7}'
        assert post_raw(api, body).json()["value"] == 7


class TestInvalid:
    @pytest.mark.parametrize("field", list(POINT))
    def test_a_missing_field(self, api: APIClient, field: str) -> None:
        body = problem(post(api, {name: value for name, value in POINT.items() if name != field}), 400)
        assert fields(body) == [field]

    @pytest.mark.parametrize("field", list(POINT))
    def test_a_null_field(self, api: APIClient, field: str) -> None:
        assert fields(problem(post(api, POINT | {field: None}), 400)) == [field]

    def test_a_misspelt_field_is_a_missing_one(self, api: APIClient) -> None:
        body = {"timestamp": POINT["timestamp"], "Value": 1, "device": "d", "user": "u"}
        assert fields(problem(post(api, body), 400)) == ["value"]

    def test_all_faults_are_listed(self, api: APIClient) -> None:
        assert fields(problem(post(api, {"value": "1", "device": " "}), 400)) == list(POINT)

    @pytest.mark.parametrize(
        "value",
        ["true", '"12"', "[]", "{}", "1.7e308", "-1.1e150", "1" + "0" * 400, "1" + "0" * 151, '""'],
    )
    def test_a_value_that_is_no_number_in_range(self, api: APIClient, value: str) -> None:
        body = problem(post_raw(api, json.dumps(POINT).replace("20.5", value)), 400)
        assert fields(body) == ["value"]

    @pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "01", "1_0", "+1", "'1'", "1.", ".5"])
    def test_a_value_that_is_no_json_number(self, api: APIClient, value: str) -> None:
        problem(post_raw(api, json.dumps(POINT).replace("20.5", value)), 400)
        assert stored(api) == []

    @pytest.mark.parametrize("value", [0, -0.0, 1e150, -1e150, 5e-324, 10**150])
    def test_values_at_the_edges_are_stored(self, api: APIClient, value: float) -> None:
        assert post(api, POINT | {"value": value}).json()["value"] == float(value)

    @pytest.mark.parametrize("field", ["device", "user"])
    @pytest.mark.parametrize(
        "key",
        [
            "",
            " ",
            "\u2003\t",
            "x" * 256,
            "a\x00b",
            "a\nb",
            "\x7f",
            "a\x85",
            True,
            1.0,
            1.5,
            [],
            {},
            10**255,
            -(10**400),
        ],
    )
    def test_a_key_that_is_none(self, api: APIClient, field: str, key: object) -> None:
        assert fields(problem(post(api, POINT | {field: key}), 400)) == [field]
        assert stored(api) == []

    @pytest.mark.parametrize("key", ['"\\ud800"', '"a\\udc00b"', '"\\udc00\\ud800"'])
    def test_a_lone_surrogate_is_malformed(self, api: APIClient, key: str) -> None:
        problem(post_raw(api, json.dumps(POINT).replace('"d"', key)), 400)

    @pytest.mark.parametrize(
        ("key", "text"),
        [
            ("a/b", "a/b"),
            ("100%", "100%"),
            (" i", " i"),
            ("i ", "i "),
            ("I", "I"),
            ("i\u0301", "i\u0301"),
            ("🌡️", "🌡️"),
            ("..", ".."),
            ("'\"<b>", "'\"<b>"),
            ("x" * 255, "x" * 255),
            ("𝟙" * 255, "𝟙" * 255),
            (7, "7"),
            (-7, "-7"),
            (2**64, str(2**64)),
            (10**254, str(10**254)),
        ],
    )
    def test_a_key_is_taken_as_it_is(self, api: APIClient, key: object, text: str) -> None:
        assert post(api, POINT | {"device": key}).json()["device"] == text
        problem(post(api, POINT | {"device": text}), 409)
        assert [d["device"] for d in api.get("/devices").json()] == [text]

    @pytest.mark.parametrize(
        "timestamp",
        [
            "",
            "now",
            "1769857200",
            "2026-02-30",
            "2026-13-01",
            "0000-01-01",
            "2026-1-1",
            "20260131",
            "20260131T110000Z",
            "2026-W05-6",
            "2026-031",
            "2026-01-31T24:00:00",
            "2026-01-31T11:60",
            "2026-01-31T11:00:60Z",
            "2026-01-31x11:00:00",
            "2026-01-31T11:00:00+24:00",
            "2026-01-31T11:00:00Z ",
            "2026-01-31T11:00:00 Z",
            "２０２６-01-31",
            "2026-01-31T11:00:00.Z",
            "1969-12-31T23:59:59.999999Z",
            "1970-01-01T00:00:00+00:01",
            "0001-01-01T00:00:00+23:59",
            -1,
            -1e-9,
            -(10**400),
            -1e300,
            True,
            [],
            {},
        ],
    )
    def test_a_timestamp_that_is_none_or_before_1970(self, api: APIClient, timestamp: object) -> None:
        assert fields(problem(post(api, POINT | {"timestamp": timestamp}), 400)) == ["timestamp"]

    def test_the_epoch_itself_is_stored(self, api: APIClient) -> None:
        assert post(api, POINT | {"timestamp": -0.0}).json()["timestamp"] == "1970-01-01T00:00:00Z"

    @pytest.mark.parametrize("body", ["", " \n", "{", "nonsense", '{"timestamp"', "[1,]", "{} {}", "\ufeff{}", "\xff"])
    def test_a_body_that_is_no_json(self, api: APIClient, body: str) -> None:
        problem(post_raw(api, body.encode("latin-1" if body == "\xff" else "utf-8")), 400)

    @pytest.mark.parametrize("body", ["1", '"x"', "true", "null"])
    def test_a_body_that_is_neither_object_nor_array(self, api: APIClient, body: str) -> None:
        problem(post_raw(api, body), 400)

    @pytest.mark.parametrize("opening", ["[", '{"a":', '[{"timestamp":'])
    def test_nesting_a_hundred_thousand_deep(self, api: APIClient, opening: str) -> None:
        problem(post_raw(api, opening * 100_000), 400)

    @pytest.mark.parametrize("query", ["?on_duplicate=", "?on_duplicate=ignore", "?onduplicate=skip", "?a=1"])
    def test_unknown_and_invalid_parameters(self, api: APIClient, query: str) -> None:
        problem(post(api, POINT, query), 400)
        assert stored(api) == []

    def test_a_repeated_parameter(self, api: APIClient) -> None:
        assert fields(problem(post(api, POINT, "?on_duplicate=skip&on_duplicate=skip"), 400)) == ["on_duplicate"]


class TestFuture:
    @pytest.mark.parametrize("timestamp", [NOON, "2026-01-31T12:00:05Z", 1769860805])
    def test_up_to_the_allowed_skew_counts_at_once(self, api: APIClient, timestamp: object) -> None:
        assert post(api, POINT | {"timestamp": timestamp}).status_code == 201
        assert len(stored(api)) == 1

    @pytest.mark.parametrize(
        "timestamp", ["2026-01-31T12:00:05.000001Z", 1769860806, "9999-12-31", 1e15, 1e300, 10**25, 10**400, 10**4299]
    )
    def test_beyond_it_is_refused_however_large(self, api: APIClient, timestamp: object) -> None:
        assert fields(problem(post(api, POINT | {"timestamp": timestamp}), 422)) == ["timestamp"]
        assert stored(api) == []

    @pytest.mark.parametrize(
        ("number", "unit"),
        [(1769857200000, "milliseconds"), (1769857200000000, "microseconds"), (1769857200 * 10**9, "nanoseconds")],
    )
    def test_a_number_in_the_wrong_unit_is_told_so(self, api: APIClient, number: int, unit: str) -> None:
        assert f"looks like {unit}" in problem(post(api, POINT | {"timestamp": number}), 422)["detail"]

    def test_the_skew_is_a_setting(self, api: APIClient, settings: Any) -> None:
        settings.CLOCK_SKEW_SECONDS = 0
        problem(post(api, POINT | {"timestamp": "2026-01-31T12:00:01Z"}), 422)
        assert post(api, POINT | {"timestamp": NOON}).status_code == 201

    def test_invalid_comes_before_future_before_conflict(self, api: APIClient) -> None:
        post(api, POINT)
        future = POINT | {"timestamp": "2027-01-01"}
        problem(post(api, [POINT, future, POINT | {"value": None}]), 400)
        problem(post(api, [POINT, future]), 422)
        problem(post(api, [POINT]), 409)


class TestBatch:
    def test_is_stored_whole(self, api: APIClient) -> None:
        response = post(api, BATCH[::-1])
        assert (response.status_code, response.json()) == (201, {"created": 60})
        assert stored(api) == BATCH

    @pytest.mark.parametrize("position", [0, 30, 59])
    def test_with_one_bad_item_stores_nothing(self, api: APIClient, position: int) -> None:
        batch = [dict(point) for point in BATCH]
        batch[position]["value"] = "1"
        body = problem(post(api, batch), 400)
        assert [(e["index"], e["field"]) for e in body["errors"]] == [(position, "value")]
        assert stored(api) == []

    def test_with_one_future_item_stores_nothing(self, api: APIClient) -> None:
        body = problem(post(api, [*BATCH, POINT | {"timestamp": 1769857200000}]), 422)
        assert [(e["index"], e["field"]) for e in body["errors"]] == [(60, "timestamp")]
        assert stored(api) == []

    def test_with_a_stored_item_stores_nothing(self, api: APIClient) -> None:
        post(api, BATCH[7])
        body = problem(post(api, BATCH), 409)
        assert [e["index"] for e in body["errors"]] == [7]
        assert stored(api) == [BATCH[7]]

    def test_with_an_item_twice_stores_nothing(self, api: APIClient) -> None:
        body = problem(post(api, [POINT, POINT | {"value": 1}]), 409)
        assert [e["index"] for e in body["errors"]] == [1]
        assert stored(api) == []

    def test_skipping_stores_what_is_new_and_the_first_wins(self, api: APIClient) -> None:
        post(api, BATCH[:10])
        response = post(api, [*BATCH[5:20], POINT, POINT | {"value": 1}], "?on_duplicate=skip")
        assert response.json() == {"created": 11, "skipped": 6}
        assert stored(api) == [*BATCH[:20], POINT]

    def test_repeated_with_skip_changes_nothing(self, api: APIClient) -> None:
        post(api, BATCH)
        before = api.get("/datapoints").content
        assert post(api, BATCH, "?on_duplicate=skip").json() == {"created": 0, "skipped": 60}
        assert api.get("/datapoints").content == before

    @pytest.mark.parametrize("items", [[1, 2], [None], [[]], ["x", POINT]])
    def test_of_things_that_are_no_objects(self, api: APIClient, items: list[object]) -> None:
        body = problem(post(api, items), 400)
        assert body["errors"][0]["index"] == 0
        assert stored(api) == []

    def test_lists_at_most_a_hundred_errors(self, api: APIClient) -> None:
        body = problem(post(api, [{}] * 500), 400)
        assert len(body["errors"]) == 100

    def test_may_be_empty(self, api: APIClient) -> None:
        response = post(api, [])
        assert (response.status_code, response.json()) == (201, {"created": 0})


def test_of_many_duplicates_the_first_hundred_are_named_and_all_are_counted(api: APIClient) -> None:
    batch = [{"timestamp": i, "value": 1, "device": "d", "user": "u"} for i in range(1_250)]
    assert api.post("/datapoints", batch, format="json").status_code == 201
    found = problem(api.post("/datapoints", batch[::-1], format="json"), 409)
    assert found["detail"].startswith("1,250 of these datapoints")
    assert [error["index"] for error in found["errors"]] == list(range(100))
