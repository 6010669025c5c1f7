"""`manage.py load` in a separate process, against the project behind a socket."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import termios
from fractions import Fraction
from pathlib import Path

import pytest
from django.test import override_settings

from bandwidth import listing
from bandwidth import services as bandwidth
from bandwidth.sample.bandwidths import BANDWIDTHS
from datapoints import services as datapoints
from timeseries_project.client.target import targets
from timeseries_project.core import clock
from timeseries_project.core.timestamps import parse
from timeseries_project.tests.processes import PATIENCE, ROOT, Request, answering, run, serving, started
from transactions import services as transactions

SAMPLE = ROOT / "bandwidth" / "sample" / "bandwidths.py"
#: Ten hostile series, a hundred points each, not in order.
POINTS = [
    {
        "timestamp": 1_769_860_800 + (i * 37) % 1_000 + 0.25,
        "value": i / 8,
        "device": f'sensor "{i % 10}",<b>\u2028/ü',
        "user": "o'neil\\",
    }
    for i in range(1_000)
]


def write(path: Path, items: list[dict[str, object]]) -> Path:
    """Write items in the format given by the file's name."""
    if path.suffix == ".csv":
        import csv

        with path.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.DictWriter(file, ["note", *items[0]])
            writer.writeheader()
            writer.writerows({"note": "a\nb", **item} for item in items)
    elif path.suffix == ".json":
        path.write_text(json.dumps(items, indent=1))
    elif path.suffix == ".py":
        path.write_text(f'"""A listing."""\nBANDWIDTHS = {items!r}\n')
    else:
        path.write_text("\n\n".join(json.dumps(item, ensure_ascii=False) for item in items))
    return path


def stored() -> list[dict[str, object]]:
    """Return all stored datapoints in the form in which they were sent."""
    page = datapoints.datapoints_list(
        device=None, user=None, start=None, end=None, limit=10_000, after=None, descending=False
    )
    assert page.next is None
    points = page.points.points()
    return [{"timestamp": p.timestamp / 1e6, "value": p.value, "device": p.device, "user": p.user} for p in points]


def ordered(items: list[dict[str, object]]) -> list[dict[str, object]]:
    return sorted(items, key=lambda item: (item["timestamp"], item["device"], item["user"]))


@pytest.mark.parametrize("suffix", [".json", ".ndjson", ".jsonl", ".csv"])
def test_datapoints_arrive_as_they_stand_in_the_file_and_a_second_load_skips(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"points{suffix}", POINTS)
    with serving() as server:
        status, out, err = run("load", path, "--url", server.url, "--batch-size", 300)
        assert (status, err) == (0, "")
        assert server.posts == 4
        assert out.startswith(
            "datapoints: 1,000 sent, 1,000 created, 0 skipped as known, 0 expired\nin all: 1,000 sent"
        )
        assert stored() == ordered(POINTS)
        status, out, err = run("load", path, "--url", server.url)
    assert (status, err) == (0, "")
    assert "1,000 sent, 0 created, 1,000 skipped" in out
    assert stored() == ordered(POINTS)


@pytest.mark.parametrize("suffix", [".py", ".json", ".ndjson", ".csv"])
def test_a_bandwidth_listing_of_each_form(tmp_path: Path, suffix: str) -> None:
    path = SAMPLE if suffix == ".py" else write(tmp_path / f"listing{suffix}", BANDWIDTHS)
    with serving() as server:
        status, out, err = run("load", path, "--url", server.url)
    assert (status, err) == (0, "")
    assert "bandwidth: 900 sent, 900 created" in out
    loaded = bandwidth.devices_list()
    bandwidth.store.clear()
    listing.load(str(SAMPLE))
    assert loaded == bandwidth.devices_list()


def test_what_the_server_no_longer_keeps_is_said_to_be_expired(tmp_path: Path) -> None:
    now = clock.now_s()
    ages = [0, 60, 7_200, 86_400]
    points: list[dict[str, object]] = [{**POINTS[0], "timestamp": now - age} for age in ages]
    entries: list[dict[str, object]] = [{**BANDWIDTHS[0], "timestamp": now - age} for age in ages]
    with override_settings(RETENTION_SECONDS=3_600), serving() as server:
        status, out, err = run("load", write(tmp_path / "p.json", points), "--url", server.url)
        assert (status, err) == (0, "")
        assert "datapoints: 4 sent, 2 created, 0 skipped as known, 2 expired" in out
        status, out, err = run("load", write(tmp_path / "e.csv", entries), "--url", server.url)
        assert (status, err) == (0, "")
        assert "bandwidth: 4 sent, 2 created, 0 skipped as known, 2 expired" in out


@pytest.mark.parametrize("suffix", [".json", ".ndjson", ".csv"])
def test_transactions_old_ones_expire(tmp_path: Path, suffix: str) -> None:
    now = clock.now_ms()
    amounts = [12.3, -0.1, 1e-7, 2**60, 1e150]
    items: list[dict[str, object]] = [{"amount": amount, "timestamp": now} for amount in amounts]
    items += [{"amount": 1e6, "timestamp": now - 3_600_000}]
    with serving() as server:
        status, out, err = run("load", write(tmp_path / f"t{suffix}", items), "--url", server.url)
    assert (status, err) == (0, "")
    assert "transactions: 6 sent, 5 created, 0 skipped as known, 1 expired" in out
    summary = transactions.statistics_get(now=now + 1)
    assert (summary.count, summary.min, summary.max) == (5, -0.1, 1e150)
    assert summary.sum == float(sum(map(Fraction, amounts)))


def test_times_in_csv_are_what_the_api_takes(tmp_path: Path) -> None:
    path = tmp_path / "times.CSV"
    path.write_text(
        "user,device,value,timestamp\r\n1,007,+.5,2026-01-31T12:00:00+01:00\r\n\r\n1,007,1.,1769857200.000001\r\n"
    )
    with serving() as server:
        assert run("load", path, "--url", server.url)[::2] == (0, "")
    (key,) = datapoints.keys_list(axis="device")
    assert (key.key, key.first, key.last) == ("007", parse("2026-01-31T11:00:00Z"), 1_769_857_200_000_001)


def test_nothing_is_lost_or_twice_when_the_server_goes_and_comes_back(tmp_path: Path) -> None:
    path = write(tmp_path / "points.ndjson", POINTS)
    with (
        serving(fall=3, lose=[5]) as server,
        started("load", path, "--url", server.url, "--batch-size", 100) as process,
    ):
        assert process.stdout is not None
        said = process.stdout.readline()  # it has noticed that the server is away
        assert said.startswith("The server is away (")
        server.start()
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
    # The third batch and one more were stored, but their answers were lost.
    assert "1,000 sent, 800 created, 200 skipped as known" in out
    assert "may count twice" not in out
    assert stored() == ordered(POINTS)


def test_what_may_count_twice_is_told(tmp_path: Path) -> None:
    with serving(lose=[2]) as server:
        status, out, err = run("load", SAMPLE, "--url", server.url, "--batch-size", 300)
    assert (status, err) == (0, "")
    assert "1 retries\n300 of them were sent again after a connection broke, and may count twice." in out
    assert sum(device.count for device in bandwidth.devices_list()) == 1_200


def test_patience_ends(tmp_path: Path) -> None:
    with serving(fall=2) as server:
        status, out, err = run("load", SAMPLE, "--url", server.url, "--batch-size", 300, "--patience", 0.5)
        server.start()
    assert status == 1
    assert err == f"CommandError: {server.url} did not answer within 0.5 s: Connection refused.\n"
    assert "300 items of" in out
    assert out.endswith("to continue: --skip 300\n")


def test_ctrl_c_counts_what_is_on_its_way_and_the_next_load_continues_there(tmp_path: Path) -> None:
    with serving(hold=2) as server, started("load", SAMPLE, "--url", server.url, "--batch-size", 100) as process:
        assert server.held.wait(PATIENCE)
        process.send_signal(signal.SIGINT)
        server.go_on.set()
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, err) == (130, "")
        assert "bandwidth: 200 sent, 200 created" in out
        assert out.endswith(f"200 items of {SAMPLE} are confirmed; to continue: --skip 200\n")
        status, out, err = run("load", SAMPLE, "--url", server.url, "--skip", 200)
    assert (status, err) == (0, "")
    assert "700 sent" in out
    assert sum(d.count for d in bandwidth.devices_list()) == 900
    assert sum(d.bytes_fs for d in bandwidth.devices_list()) == sum(int(e["bytes_fs"]) for e in BANDWIDTHS)


def test_ctrl_c_ends_the_waiting_for_a_server(tmp_path: Path) -> None:
    with serving(fall=1) as server, started("load", SAMPLE, "--url", server.url) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
        server.start()
    assert (process.returncode, err) == (130, "")
    assert out.endswith("--skip 0\n")


def test_a_bar_on_a_terminal_and_none_elsewhere(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 100))
    shown = b""
    with (
        serving() as server,
        started("load", SAMPLE, "--url", server.url, "--batch-size", 100, stdout=terminal) as process,
    ):
        os.close(terminal)
        try:
            while part := os.read(controller, 65_536):
                shown += part
        except OSError:  # the other end is closed
            pass
        os.close(controller)
        assert process.communicate(timeout=PATIENCE)[1] == ""
        assert re.search(rb"Loading bandwidths.py: [0-9]+ sent, [0-9,]+/s \|.*\| [0-9]+%, [0-9:]+ left", shown), shown
        assert b"bandwidth: 900 sent, 900 created" in shown
        out = run("load", SAMPLE, "--url", server.url)[1]
        assert "|" not in out
        assert "\r" not in out


ITEM = '{"timestamp": 1, "value": 1, "device": "d", "user": "u"}\n'


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("absent.json", None, ": No such file or directory."),
        ("two.ndjson", ITEM + "\n" + ITEM.strip() + "," + ITEM, ", line 3: this is not valid JSON: "),
        ("number.ndjson", ITEM + "5\n", ", line 2: 400 Bad Request: must be a JSON object"),
        (
            "text.json",
            "[" + ITEM + "," + ITEM.replace("1", '"1"', 1) + "]",
            ", line 2: 400 Bad Request: timestamp ",
        ),
        ("future.ndjson", "\n" + ITEM * 2 + ITEM.replace("1", "4102444800", 1), ", line 4: 422 Unprocessable "),
        ("inf.csv", "amount,timestamp\n1,1\n1e999,1\n", ", line 3: 400 Bad Request: amount must be a number."),
        ("lacks.csv", "amount,timestamp\n1,1\n,1\n", ", line 3: 400 Bad Request: amount is required."),
        ("code.py", "import os", ": its one statement must be BANDWIDTHS = [...]."),
        ("negative.py", SAMPLE.read_text().replace("75409", "-1"), ", line 8: 400 Bad Request: bytes_ts must"),
        ("\x1b[31mred\n.json", None, ": No such file or directory."),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, name: str, content: str | None, reason: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with serving() as server:
        status, out, err = run("load", path, "--url", server.url)
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert err[:-1].isprintable()
    assert err.startswith(f"CommandError: {tmp_path}/")
    assert reason in err
    assert (stored(), bandwidth.devices_list()) == ([], [])


def test_what_was_confirmed_before_the_fault_is_told(tmp_path: Path) -> None:
    path = tmp_path / "points.ndjson"
    path.write_text("".join(ITEM.replace("1", str(i), 1) for i in range(10)) + ITEM.replace("1", "-1", 1))
    with serving() as server:
        status, out, err = run("load", path, "--url", server.url, "--batch-size", 4)
    assert status == 1
    assert err.startswith(f"CommandError: {path}, line 11: 400 Bad Request: timestamp lies before 1970.")
    assert out.splitlines()[0] == "datapoints: 8 sent, 8 created, 0 skipped as known, 0 expired"
    assert out.endswith("to continue: --skip 8\n")


@pytest.mark.parametrize(
    "arguments", [(), ("a", "b"), ("a", "--app", "x"), ("a", "--skip", "-1"), ("a", "--batch-size", "0"), ("a", "--x")]
)
def test_wrong_options_are_one_line(arguments: tuple[str, ...]) -> None:
    status, out, err = run("load", *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("manage.py load: ")


def test_an_empty_file_is_loaded_at_once(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    path.write_text(" [ ]\n")
    with serving() as server:
        status, out, err = run("load", path, "--url", server.url)
    assert (status, err) == (0, "")
    assert out.startswith("in all: 0 sent")


def test_an_app_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(
        ITEM.replace("{", f'{{"amount": 1, "timestamp": {clock.now_ms()}, ').replace('"timestamp": 1, ', "")
    )
    with serving() as server:
        assert run("load", path, "--url", server.url, "--app", "transactions")[::2] == (0, "")
    assert transactions.statistics_get(now=clock.now_ms()).count == 1


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("127.0.0.1:8000", "'127.0.0.1:8000' is not the URL of a server, such as http://127.0.0.1:8000."),
        ("http://127.0.0.1:1", "http://127.0.0.1:1 does not answer: Connection refused."),
        ("http://no.such.host.invalid", "http://no.such.host.invalid does not answer: "),
    ],
)
def test_a_wrong_url_is_one_line(url: str, reason: str) -> None:
    status, out, err = run("load", SAMPLE, "--url", url)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert reason in err


OURS = (200, {}, b'{"status": "ok"}')
CREATED = (201, {}, b'{"created": 900}')


@pytest.mark.parametrize(
    ("healthy", "answer", "reason"),
    [
        (False, (200, {}, b"<html>"), "is not this service: /healthz answers 200 OK"),
        (True, (201, {}, b"<html>"), "is not this service: the answer to /api/bandwidth has an unexpected form."),
        (True, (401, {}, b'{"detail": "A token\\n\\u001b[0m is due."}'), "906: 401 Unauthorized: A token \ufffd[0m"),
        (True, (413, {}, b'{"detail": "Too large."}'), "lines 7 to 906: 413 Request Entity Too Large: Too large."),
    ],
)
def test_a_server_that_is_not_ours_or_refuses_is_one_line(
    healthy: bool, answer: tuple[int, dict[str, str], bytes], reason: str
) -> None:
    with answering(lambda request: OURS if healthy and request.path == "/healthz" else answer) as url:
        status, out, err = run("load", SAMPLE, "--url", url)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert reason in err
    assert err[:-1].isprintable()


@pytest.mark.parametrize("passing", [429, 502, 503, 504])
def test_a_server_that_is_away_for_a_moment_is_asked_again(passing: int) -> None:
    answers = [(passing, {"Retry-After": "0"}, b"busy"), (passing, {}, b""), CREATED]
    seen: list[tuple[str | None, str]] = []

    def respond(request: Request) -> tuple[int, dict[str, str], bytes]:
        if request.command == "GET":
            return OURS
        seen.append((request.headers["Authorization"], str(request.client_address)))
        assert len(json.loads(request.body)) == 900
        return answers.pop(0)

    with answering(respond) as url:
        status, out, err = run("load", SAMPLE, "--url", f"{url}/", API_TOKEN="s3cret")
    assert (status, err) == (0, "")
    assert "2 retries" in out
    assert ("1,800 of them" in out) == (passing in (502, 504))
    assert [token for token, _ in seen] == ["Bearer s3cret"] * 3
    assert len({address for _, address in seen}) == 1  # one connection for all


def test_the_option_is_before_the_variable_and_a_token_is_a_token() -> None:
    tokens: list[str | None] = []

    def respond(request: Request) -> tuple[int, dict[str, str], bytes]:
        tokens.append(request.headers["Authorization"])
        return OURS if request.command == "GET" else CREATED

    with answering(respond) as url:
        assert run("load", SAMPLE, "--url", url, "--token", "mine", API_TOKEN="other")[0] == 0
        assert run("load", SAMPLE, "--url", url)[0] == 0
        status, _, err = run("load", SAMPLE, "--url", url, "--token", "a\nb")
    assert tokens == ["Bearer mine", "Bearer mine", None, None]
    assert (status, err.count("\n")) == (1, 1)


def test_the_fields_are_those_of_the_api() -> None:
    from bandwidth.serializers import EntrySerializer
    from datapoints.serializers import DatapointSerializer
    from timeseries_project.api.fields import KeyField
    from transactions.serializers import TransactionSerializer

    for name, serializer in (
        ("datapoints", DatapointSerializer),
        ("bandwidth", EntrySerializer),
        ("transactions", TransactionSerializer),
    ):
        fields = serializer.wire_fields()
        assert targets()[name].fields == tuple(fields)
        assert set(targets()[name].keys) == {key for key, field in fields.items() if isinstance(field, KeyField)}
