"""Adding datapoints over HTTP as NDJSON and CSV."""

from __future__ import annotations

import json

import pytest
from rest_framework.test import APIClient

from datapoints.tests.requests import BATCH, POINT, post_raw, stored
from timeseries_project.tests.problems import fields, problem

pytestmark = [pytest.mark.usefixtures("now"), pytest.mark.storages("redis", "cluster")]


class TestNDJSON:
    MEDIA = "application/x-ndjson"

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n", ""])
    def test_each_line_is_a_datapoint(self, api: APIClient, end: str) -> None:
        lines = (end or "\n").join(json.dumps(point) for point in BATCH) + end
        assert post_raw(api, lines, self.MEDIA).json() == {"created": 60}
        assert stored(api) == BATCH

    def test_one_line_is_a_batch_too(self, api: APIClient) -> None:
        assert post_raw(api, json.dumps(POINT), self.MEDIA).json() == {"created": 1}

    @pytest.mark.parametrize("body", ["", "\n", "\r\n\n"])
    def test_no_line_is_an_empty_batch(self, api: APIClient, body: str) -> None:
        response = post_raw(api, body, self.MEDIA)
        assert (response.status_code, response.json()) == (201, {"created": 0})

    @pytest.mark.parametrize("media_type", ["application/ndjson", "application/jsonl", "application/x-jsonlines"])
    def test_has_other_names_too(self, api: APIClient, media_type: str) -> None:
        assert post_raw(api, json.dumps(POINT), media_type).json() == {"created": 1}

    def test_a_fault_is_named_by_its_line_too(self, api: APIClient) -> None:
        body = problem(post_raw(api, "\n".join((json.dumps(POINT), "", '{"value": null}')), self.MEDIA), 400)
        assert [(e["index"], e["line"]) for e in body["errors"]] == [(1, 3)] * 4
        assert body["detail"].startswith("item 1, line 3: timestamp is required.")

    def test_a_byte_order_mark_is_allowed(self, api: APIClient) -> None:
        assert post_raw(api, "\ufeff" + json.dumps(POINT), self.MEDIA).json() == {"created": 1}

    def test_a_malformed_line_is_named(self, api: APIClient) -> None:
        body = problem(post_raw(api, json.dumps(POINT) + "\n{", self.MEDIA), 400)
        assert "Line 2" in body["detail"]
        assert stored(api) == []

    def test_a_line_that_is_no_object_is_named(self, api: APIClient) -> None:
        assert problem(post_raw(api, json.dumps(POINT) + "\n[1]", self.MEDIA), 400)["errors"][0]["index"] == 1


class TestCSV:
    MEDIA = "text/csv"
    HEADER = "timestamp,value,device,user\n"

    def test_rows_are_datapoints_in_any_order_of_columns(self, api: APIClient) -> None:
        body = '\ufeffuser,device,comment,value,timestamp\r\nu,d,"a, b",20.5,2026-01-31T11:00:00Z\r\n'
        assert post_raw(api, body, self.MEDIA).json() == {"created": 1}
        assert stored(api) == [POINT]

    def test_further_columns_may_be_called_anything(self, api: APIClient) -> None:
        assert post_raw(api, "x,timestamp,value,x,device,user,\n1,2,3,4,d,u,5\n", self.MEDIA).status_code == 201

    def test_quoting_and_numbers_as_text(self, api: APIClient) -> None:
        body = self.HEADER + '1769857200.5,-2.5e-1,"d ""1"", x",007\n\n'
        assert post_raw(api, body, "text/csv; charset=UTF-8").status_code == 201
        assert stored(api) == [
            {"timestamp": "2026-01-31T11:00:00.500000Z", "value": -0.25, "device": 'd "1", x', "user": "007"}
        ]

    def test_blanks_around_numbers_and_names_are_passed_over(self, api: APIClient) -> None:
        body = " device, user ,\ttimestamp,value \n d,u , 1769857200\t,  20.5\n   \n\t\n\nd,u, 2026-01-31 ,-1 \n"
        assert post_raw(api, body, self.MEDIA).json() == {"created": 2}
        assert [(p["timestamp"], p["value"], p["device"], p["user"]) for p in stored(api)] == [
            ("2026-01-31T00:00:00Z", -1, "d", "u"),
            ("2026-01-31T11:00:00Z", 20.5, " d", "u "),  # keys are kept as they are
        ]

    @pytest.mark.parametrize("cell", ["", " ", "\t "])
    def test_an_empty_cell_is_named_by_its_line(self, api: APIClient, cell: str) -> None:
        good, bad = "1769857200,1,d,u\n", f"1769857201,{cell},d,u\n"
        body = problem(post_raw(api, f'{self.HEADER}{good}\n  \n1769857202,1,"two\nlines",u\n{bad}', self.MEDIA), 400)
        # A key with a line end is refused as well; its row begins on line 5 and ends on line 6.
        assert [(e["index"], e["line"], e["field"]) for e in body["errors"]] == [(1, 5, "device"), (2, 7, "value")]
        assert body["errors"][1]["message"] == "is required: the cell is empty."
        assert stored(api) == []

    def test_a_header_alone_is_an_empty_batch(self, api: APIClient) -> None:
        response = post_raw(api, self.HEADER, self.MEDIA)
        assert (response.status_code, response.json()) == (201, {"created": 0})

    @pytest.mark.parametrize(
        "value", ["1_0", "nan", "inf", "٣", "0x10", "1e999", "", "1,5", "1 1", "true", "--1", "1e"]
    )
    def test_what_python_would_take_for_a_number_is_none(self, api: APIClient, value: str) -> None:
        body = problem(post_raw(api, f'{self.HEADER}1769857200,"{value}",d,u\n', self.MEDIA), 400)
        assert fields(body) == ["value"]
        assert body["errors"][0]["index"] == 0

    @pytest.mark.parametrize("value", ["+1", "1.", ".5", "1E5", "-0", "00"])
    def test_decimal_spellings_of_numbers(self, api: APIClient, value: str) -> None:
        assert post_raw(api, f"{self.HEADER}1769857200,{value},d,u\n", self.MEDIA).status_code == 201
        assert stored(api)[0]["value"] == float(value)

    @pytest.mark.parametrize(
        "body",
        [
            "",
            "nonsense",
            "timestamp,value,device\n1,1,d\n",
            HEADER + "1,1,d\n",
            HEADER + "1,1,d,u,x\n",
            HEADER + '1,1,"d,u\n',
            HEADER + '1,1,"d"x,u\n',
            "timestamp,value,device,user,user\n1,1,d,u,v\n",
            HEADER.replace("user", "x,x"),
            HEADER + "1,1," + "d" * 200_000 + ",u\n",
        ],
    )
    def test_malformed(self, api: APIClient, body: str) -> None:
        problem(post_raw(api, body, self.MEDIA), 400)
        assert stored(api) == []

    def test_not_utf8(self, api: APIClient) -> None:
        problem(post_raw(api, self.HEADER.encode() + b"1,1,\xff,u\n", self.MEDIA), 400)

    def test_the_same_rules_as_for_json(self, api: APIClient) -> None:
        rows = "2026-01-31T11:00:00Z,1,d,u\n" * 2
        problem(post_raw(api, self.HEADER + rows, self.MEDIA), 409)
        assert post_raw(api, self.HEADER + rows, self.MEDIA, "?on_duplicate=skip").json() == {
            "created": 1,
            "skipped": 1,
        }
        problem(post_raw(api, self.HEADER + "2027-01-01,1,d,u\n", self.MEDIA), 422)
        problem(post_raw(api, self.HEADER + "9" * 4_000 + ",1,d,u\n", self.MEDIA), 422)
