"""The first lines of code of docs/clients.md, and others that people write, with the real libraries and server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import polars as pl
import pytest
import requests
from playwright.sync_api import Browser

from tests.served import Served
from timeseries_project.tests.processes import ROOT

PAGE = ROOT / "docs" / "clients.md"
CSV, NDJSON = {"Content-Type": "text/csv"}, {"Content-Type": "application/x-ndjson"}


def snippets(language: str) -> list[str]:
    """Return the blocks of the document in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def told(snippet: str, comment: str) -> list[str]:
    """Return what a snippet prints according to its comments."""
    return re.findall(rf"^\s*{comment} (.*)$", snippet, re.MULTILINE)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Served() as served:
        served.wait()
        yield f"http://localhost:{served.port}"
        assert served.stopped()[::2] == (0, "")


@pytest.fixture(scope="module")
def generated(url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A client that openapi-python-client generates without a warning from the schema of the running server."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "schema.yaml").write_bytes(requests.get(f"{url}/api/schema/").content)
    programs = Path(sys.executable).parent
    subprocess.run(
        [programs / "openapi-python-client", "generate", "--path", "schema.yaml", "--fail-on-warning"],
        cwd=folder,
        env=os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"},
        check=True,
        capture_output=True,
    )
    return folder / "time-series-statistics-client"


@pytest.mark.parametrize("snippet", snippets("python"), ids=lambda text: text.split()[1])
def test_python(url: str, snippet: str, request: pytest.FixtureRequest) -> None:
    path = ""
    if "time_series_statistics_client" in snippet:
        path = str(request.getfixturevalue("generated"))
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", snippet.replace("http://localhost:8000", url)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == told(snippet, "#") != []


@pytest.mark.browser
@pytest.mark.parametrize("snippet", snippets("js"))
def test_javascript(url: str, snippet: str, browser: Browser) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{url}/healthz")
        printed: list[str] = []
        page.on("console", lambda message: printed.append(message.text))
        page.evaluate("async () => {" + snippet.replace("http://localhost:8000", url) + "}")
    assert printed == told(snippet, "//") != []


def test_an_address_as_grafana_fills_it_in(url: str) -> None:
    [address] = snippets("text")
    point = {"timestamp": "2026-01-31T12:00:00Z", "value": 20.5, "device": "hall", "user": "grafana"}
    requests.post(f"{url}/datapoints", json=point).raise_for_status()

    def asked(start: str, end: str) -> object:
        filled = address.strip().replace("http://localhost:8000", url)
        for name, text in (("${__from:date:iso}", start), ("${__to:date:iso}", end)):
            assert name in filled
            filled = filled.replace(name, text)
        return requests.get(filled).json()

    rows = [{"timestamp": "2026-01-31T12:00:00Z", "value": 20.5, "count": 1}]
    assert asked("2026-01-31T11:40:00.000Z", "2026-01-31T12:40:00.000Z") == rows
    assert "looks like milliseconds" in str(asked("1769859600000", "1769863200000"))


@pytest.fixture
def frame(request: pytest.FixtureRequest) -> pd.DataFrame:
    """A table of five datapoints, of a device of its own for each test."""
    times = pd.date_range("2026-01-31T10:00Z", periods=5, freq="10min")
    return pd.DataFrame({"timestamp": times, "value": [1.5, 2, 3, 4, 5], "device": request.node.name, "user": "ada"})


class TestPandas:
    @pytest.mark.parametrize("zone", [None, "UTC", "Asia/Kolkata"])
    def test_to_csv_with_its_index_and_any_zone(self, url: str, frame: pd.DataFrame, zone: str | None) -> None:
        """pandas writes `2026-01-31 15:30:00+05:30`, and a column without a name for the index."""
        frame["timestamp"] = frame["timestamp"].dt.tz_convert(zone)
        assert requests.post(f"{url}/datapoints", data=frame.to_csv(), headers=CSV).json() == {"created": 5}
        query = f"device={requests.utils.quote(frame.device[0])}&format=csv"
        stored = pd.read_csv(f"{url}/datapoints?{query}", parse_dates=["timestamp"])
        assert stored["timestamp"].tolist() == pd.date_range("2026-01-31T10:00Z", periods=5, freq="10min").tolist()

    def test_a_missing_value_is_named_by_its_line(self, url: str, frame: pd.DataFrame) -> None:
        frame.loc[2, "value"] = np.nan
        answer = requests.post(f"{url}/datapoints", data=frame.to_csv(index=False), headers=CSV)
        assert answer.status_code == 400
        assert answer.json()["detail"] == "item 2, line 4: value is required: the cell is empty."
        lines = frame.to_json(orient="records", lines=True, date_format="iso")
        answer = requests.post(f"{url}/datapoints", data=lines, headers=NDJSON)
        assert answer.json()["detail"] == "item 2, line 3: value must not be null."

    @pytest.mark.parametrize("media_type", ["application/x-ndjson", "application/jsonl"])
    def test_to_json_by_lines(self, url: str, frame: pd.DataFrame, media_type: str) -> None:
        lines = frame.to_json(orient="records", lines=True, date_format="iso")
        answer = requests.post(f"{url}/datapoints", data=lines, headers={"Content-Type": media_type})
        assert answer.json() == {"created": 5}

    def test_epoch_milliseconds_are_told_so(self, url: str, frame: pd.DataFrame) -> None:
        frame["timestamp"] = frame["timestamp"].dt.tz_localize(None).astype("datetime64[ms]").astype("int64")
        for body, headers in (
            (frame.to_json(orient="records", lines=True), NDJSON),
            (frame.to_csv(index=False), CSV),
        ):
            answer = requests.post(f"{url}/datapoints", data=body, headers=headers)
            assert answer.status_code == 422
            assert "looks like milliseconds, but epoch seconds are expected" in answer.json()["detail"]

    def test_a_table_saved_by_a_spreadsheet(self, url: str, frame: pd.DataFrame) -> None:
        """With a byte order mark, blanks behind the commas of numbers, and empty lines at the end."""
        text = frame[["device", "user", "timestamp", "value"]].to_csv(index=False, lineterminator="\r\n")
        body = "\ufeff" + re.sub(r",(?=[0-9])", ", ", text) + " \r\n\r\n"
        assert requests.post(f"{url}/datapoints", data=body.encode(), headers=CSV).json() == {"created": 5}

    def test_every_list_is_a_frame(self, url: str, frame: pd.DataFrame) -> None:
        requests.post(f"{url}/datapoints", data=frame.to_csv(), headers=CSV).raise_for_status()
        path = f"{url}/statistics/devices/{requests.utils.quote(frame.device[0])}"
        for rest in ("avg?", "moving_avg?window_size=2&", "percentile?q=0.9&"):
            by_json = pd.read_json(f"{path}/{rest}fill=none", precise_float=True)
            by_csv = pd.read_csv(f"{path}/{rest}fill=none&format=csv")
            assert str(by_json["timestamp"].dtype).startswith("datetime64")
            assert by_json["value"].equals(by_csv["value"])
        assert frame.device[0] in set(pd.read_json(f"{url}/devices")["device"])
        assert len(pd.read_json(f"{url}/api/statistics/history")) == 600


def test_polars_reads_a_remote_file_in_pieces(url: str) -> None:
    """What docs/clients.md says of it; when this fails, Polars can do more, and the document is to be mended."""
    with pytest.raises(OSError, match="Range request not supported"):
        pl.read_csv(f"{url}/devices?format=csv")


def test_polars_writes_lines(url: str) -> None:
    frame = pl.DataFrame({"timestamp": [1769860800.0, 1769860801.5], "value": [1, 2], "device": "pl", "user": "ada"})
    assert httpx.post(f"{url}/datapoints", content=frame.write_ndjson(), headers=NDJSON).json() == {"created": 2}


@pytest.mark.parametrize("answer", ["/datapoints?limit=2", "/devices?limit=1", "/users?limit=1"])
def test_links_lead_on_in_requests_and_httpx(url: str, answer: str) -> None:
    for i in range(5):
        point = {"timestamp": 1769860800 + i, "value": i, "device": f"link-{i}", "user": f"link-{i}"}
        requests.post(f"{url}/datapoints?on_duplicate=skip", json=point).raise_for_status()
    for client in (requests, httpx):
        found, part = [], client.get(f"{url}{answer}")
        while True:
            rows = part.json()
            found += rows["results"] if isinstance(rows, dict) else rows
            if "next" not in part.links:
                break
            part = client.get(part.links["next"]["url"])
        assert len({str(row) for row in found}) == len(found) >= 5


def test_the_generated_client_takes_datetimes_everywhere(url: str, generated: Path) -> None:
    script = f"""
        from datetime import datetime, timedelta, timezone

        from time_series_statistics_client import Client
        from time_series_statistics_client.api.datapoints import datapoints_create, datapoints_list
        from time_series_statistics_client.api.statistics import device_percentile, user_moving_average
        from time_series_statistics_client.models import DatapointRequest

        client = Client("{url}", raise_on_unexpected_status=True)
        start = datetime(2026, 1, 31, 17, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
        batch = [
            DatapointRequest(timestamp=time, value=20.5, device="generated", user=7)
            for time in (start, start.timestamp() + 1, "2026-01-31T12:00:02Z")
        ]
        assert datapoints_create.sync(client=client, body=batch).created == 3
        options = {{"start": start, "end": start + timedelta(minutes=15)}}
        assert len(datapoints_list.sync(client=client, device="generated", **options).results) == 3
        [bucket] = device_percentile.sync(client=client, device="generated", q=0.9, **options)
        assert (bucket.timestamp, bucket.value, bucket.count) == (start, 20.5, 3)
        [bucket] = user_moving_average.sync(client=client, user="7", window_size=1, **options)
        assert bucket.value == 20.5
        """
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        env=os.environ | {"PYTHONPATH": str(generated)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


def test_a_long_answer_about_a_key_that_is_not_ascii(url: str) -> None:
    """Long answers are begun in the event loop and again in a thread, from the same request."""
    point = {"timestamp": "2020-01-01", "value": 1, "device": "Küche", "user": "ada"}
    requests.post(f"{url}/datapoints", json=point).raise_for_status()
    query = {"bucket": "1m", "fill": "linear", "window_size": 500_000, "end": "2022-01-01"}
    assert len(requests.get(f"{url}/statistics/devices/Küche/moving_avg", params=query).json()) == 731 * 1440
