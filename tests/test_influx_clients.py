"""The clients of InfluxDB 1 and 2, with the real server: they write, ping, create databases and read our errors."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import requests
from influxdb import InfluxDBClient as Client1
from influxdb.exceptions import InfluxDBClientError
from influxdb_client import InfluxDBClient, Point, WriteOptions, WritePrecision
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from tests.served import Served
from timeseries_project.tests.processes import ROOT

TOKEN = "a-secret-token-of-24-chars"
TIME = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture(scope="module", params=["", "/ts"], ids=["at the root", "under a prefix"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    prefix = {"ROOT_PATH": request.param} if request.param else {}
    with Served(API_TOKENS=TOKEN, MAX_BODY_BYTES="1000000", **prefix) as served:
        served.wait()
        yield f"http://127.0.0.1:{served.port}{request.param}"
        assert served.stopped()[::2] == (0, "")


def users(url: str, device: str) -> dict[str, int]:
    """Return how many datapoints a device has, by user; and delete them."""
    found: dict[str, int] = {}
    for point in requests.get(f"{url}/datapoints", {"device": device, "limit": 10_000}).json()["results"]:
        found[point["user"]] = found.get(point["user"], 0) + 1
    answer = requests.delete(f"{url}/devices/{device}/datapoints", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 204
    return found


class TestVersion2:
    @pytest.fixture(params=[False, True], ids=["plain", "gzip"])
    def client(self, url: str, request: pytest.FixtureRequest) -> Iterator[InfluxDBClient]:
        with InfluxDBClient(url, TOKEN, org="any", enable_gzip=request.param) as client:
            yield client

    def test_points_are_written(self, client: InfluxDBClient, url: str) -> None:
        write = client.write_api(write_options=SYNCHRONOUS).write
        point = Point("weather, it is").tag("host", "h 1=a,b").tag("ort", "Kö\\ln").field("t", 21.5).field("n", 2**62)
        write("bucket", record=point.field("ok", True).field("text", 'a "b"\\ c\nd').time(TIME))
        write("bucket", record={"measurement": "m", "tags": {"host": "h 1=a,b"}, "fields": {"value": 1}})
        write("bucket", record="m,host=h\\ 1\\=a\\,b f=1 1769860800", write_precision=WritePrecision.S)
        measurement = "weather, it is"
        assert users(url, "h 1=a,b") == {
            **{f"{measurement}_{field},ort=Kö\\ln": 1 for field in ("t", "n", "ok")},
            "m": 1,
            "m_f": 1,
        }

    def test_batches_are_written(self, client: InfluxDBClient, url: str) -> None:
        with client.write_api(write_options=WriteOptions(batch_size=500, flush_interval=100)) as write_api:
            for second in range(2_000):
                write_api.write("b", record=f"m,host=batched f={second} {1_769_860_800 + second}", write_precision="s")
        assert users(url, "batched") == {"m_f": 2_000}

    def test_it_pings_and_asks_for_the_version(self, client: InfluxDBClient) -> None:
        assert client.ping()
        assert client.version() == "1.8.0"

    def test_its_errors_have_our_reasons(self, client: InfluxDBClient, url: str) -> None:
        with pytest.raises(ApiException) as refused:
            client.write_api(write_options=SYNCHRONOUS).write("b", record=["m,host=e f=1", "m f=1"])
        assert refused.value.status == 400
        assert "line 2 has neither a tag `device` nor a tag `host`" in str(refused.value.message)
        assert users(url, "e") == {}

    def test_a_failed_batch_is_reported_once(self, client: InfluxDBClient) -> None:
        failed: list[InfluxDBError] = []
        with client.write_api(
            WriteOptions(batch_size=2, flush_interval=100), error_callback=lambda _, __, error: failed.append(error)
        ) as write_api:
            write_api.write("b", record=["m,host=e f=1", "m,host=e f=x"])
        assert [(error.response.status, error.message.split(":")[0]) for error in failed] == [
            (400, "line 2 has 'x' where a number, a boolean or a quoted string is due.")
        ]

    def test_a_wrong_token_is_unauthorized(self, url: str) -> None:
        with InfluxDBClient(url, "wrong", org="any") as client, pytest.raises(ApiException) as refused:
            client.write_api(write_options=SYNCHRONOUS).write("b", record="m,host=e f=1")
        assert (refused.value.status, refused.value.message) == (
            401,
            "The token is not one of the tokens of this service.",
        )

    def test_it_writes_again_after_a_busy_moment(self) -> None:
        with Served(RATE_LIMIT="2/s") as served:
            served.wait()
            url = f"http://127.0.0.1:{served.port}"
            again: list[int] = []
            options = WriteOptions(batch_size=1, retry_interval=100, max_retries=20, jitter_interval=100)
            with (
                InfluxDBClient(url, "any", org="any") as client,
                client.write_api(
                    options, retry_callback=lambda _, __, error: again.append(error.response.status)
                ) as api,
            ):
                for second in range(6):
                    api.write("b", record=f"m,host=h f=1 {second}", write_precision="s")
            assert set(again) == {429}
            served.request("GET", "/healthz")
            assert b'"count":6' in eventually_answered(served, "/devices/h")
            assert served.stop() == 0


def eventually_answered(served: Served, path: str) -> bytes:
    """Return the answer, asked for again as long as it is refused by the rate limit."""
    while True:
        status, response, content = served.request("GET", path)
        if status != 429:
            return content
        assert response.headers["Retry-After"]


class TestVersion1:
    @pytest.fixture(params=[False, True], ids=["plain", "gzip"])
    def client(self, url: str, request: pytest.FixtureRequest) -> Iterator[Client1]:
        host, _, path = url.removeprefix("http://").partition("/")
        name, _, port = host.partition(":")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            client = Client1(name, int(port), "any", TOKEN, "db", path=path, gzip=request.param)
            yield client
            client.close()

    def test_it_creates_its_database_and_pings(self, client: Client1) -> None:
        client.create_database("db")
        assert client.ping() == "1.8.0"

    def test_points_are_written(self, client: Client1, url: str) -> None:
        fields = {"value": 0.64, "up": True, "load": 3, "text": "x"}
        point = {"measurement": "cpu load", "tags": {"host": "srv 1", "z": "1", "a": "b c"}, "fields": fields}
        for time, precision in (("2026-01-31T12:00:00Z", None), (1_769_860_801, "s"), (1_769_860_802_000, "ms")):
            assert client.write_points([point | {"time": time}], time_precision=precision)
        assert client.write_points(["m,host=srv\\ 1 f=1 1769860800000000000"], protocol="line")
        assert users(url, "srv 1") == {
            "cpu load,a=b c,z=1": 3,
            "cpu load_up,a=b c,z=1": 3,
            "cpu load_load,a=b c,z=1": 3,
            "m_f": 1,
        }

    def test_its_errors_have_our_reasons(self, client: Client1) -> None:
        with pytest.raises(InfluxDBClientError) as refused:
            client.write_points(["m f=1"], protocol="line")
        assert refused.value.code == 400
        assert "line 1 has neither a tag `device` nor a tag `host`" in refused.value.content
        with pytest.raises(InfluxDBClientError) as refused:
            client.query("SELECT * FROM m")
        assert "There are no queries here" in refused.value.content


def test_the_first_lines_of_the_document(url: str) -> None:
    [snippet] = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "docs" / "influx.md").read_text(), re.MULTILINE | re.DOTALL
    )
    program = snippet.replace("http://localhost:8000", url).replace('token="any"', f'token="{TOKEN}"')
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "True\n"), run.stderr
    assert users(url, "t-1") == {"weather_temp": 1}
