"""Listings in files: what is read, what is refused, and that none of it is executed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bandwidth import listing, services
from bandwidth.interface import DeviceSummary
from bandwidth.listing import ListingError, read
from timeseries_project import env

ENTRIES = [
    {"timestamp": 160, "bytes_ts": 3, "bytes_fs": 4, "device_id": "a"},
    {"timestamp": 100, "bytes_ts": 1, "bytes_fs": 2, "device_id": "a"},
]
CSV = "timestamp,bytes_ts,bytes_fs,device_id\n160,3,4,a\n100,1.0,2e0,a\n"

pytestmark = pytest.mark.storages("redis", "cluster")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plain.py", f"BANDWIDTHS = {ENTRIES!r}\n"),
        ("documented.py", f'"""What it is."""\n# a comment\n\nBANDWIDTHS = {ENTRIES!r}  # the end\n'),
        (
            "tuple-keys-last-wins.py",
            f"BANDWIDTHS = {ENTRIES!r}".replace("'bytes_ts': 3", "'bytes_ts': 9, 'bytes_ts': 3"),
        ),
        ("data.json", json.dumps(ENTRIES)),
        ("data.JSON", json.dumps(ENTRIES)),
        ("data.csv", CSV),
        ("mark.csv", "\ufeff" + CSV),
    ],
)
def test_each_form_is_loaded(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert listing.load(str(tmp_path / name)) == 2
    assert services.devices_list() == [DeviceSummary("a", 2, 100, 160, 4, 6)]


def test_the_sample_is_loaded_as_any_other() -> None:
    assert listing.load(env.SAMPLE_LISTING) > 100
    assert len(services.devices_list()) >= 3


def entry(**fields: object) -> str:
    return f"BANDWIDTHS = [{ENTRIES[0]!r}, {ENTRIES[0] | fields!r}]"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("call.py", "BANDWIDTHS = [open({pwned!r}, 'w')]", "other than literals"),
        ("statement.py", "open({pwned!r}, 'w')\nBANDWIDTHS = []", "one statement"),
        ("after.py", "BANDWIDTHS = []\nopen({pwned!r}, 'w')", "one statement"),
        ("import.py", "import os\nBANDWIDTHS = []", "one statement"),
        ("other.py", "BANDWIDTH = []", "one statement"),
        ("two-targets.py", "BANDWIDTHS = X = []", "one statement"),
        ("subscript.py", "X[0] = []", "one statement"),
        ("augmented.py", "BANDWIDTHS += []", "one statement"),
        ("fstring.py", "BANDWIDTHS = [f'{{1}}']", "other than literals"),
        ("name.py", "BANDWIDTHS = [nan]", "other than literals"),
        ("empty.py", "", "one statement"),
        ("syntax.py", "BANDWIDTHS = [", "line 1"),
        ("deep.py", "BANDWIDTHS = " + "[" * 5_000, "nested"),
        ("sums.py", "BANDWIDTHS = " + "-" * 100_000 + "1", "not a Python literal"),
        ("null.py", "BANDWIDTHS = []\0", "not a Python literal"),
        ("unhashable.py", "BANDWIDTHS = [{{[]: 1}}]", "other than literals"),
        ("set-of-lists.py", "BANDWIDTHS = [{{[1]}}]", "other than literals"),
        ("two\nlines.json", "[", "not valid JSON"),
        ("set.py", "BANDWIDTHS = {{1}}", "list of entries"),
        ("dict.py", "BANDWIDTHS = {{}}", "list of entries"),
        ("number.py", "BANDWIDTHS = 1", "list of entries"),
        ("items.py", "BANDWIDTHS = [1]", "item 0"),
        ("negative.py", entry(bytes_ts=-1), "item 1: bytes_ts must be from 0"),
        ("bool.py", entry(bytes_ts=True), "item 1: bytes_ts"),
        ("fraction.py", entry(timestamp=1.5), "item 1: timestamp"),
        ("complex.py", entry(timestamp=1j), "item 1: timestamp"),
        ("bytes.py", entry(device_id=b"a"), "item 1: device_id"),
        ("surrogate.py", entry(device_id="\ud800").replace("{", "{{").replace("}", "}}"), "item 1: device_id"),
        ("future.py", entry(timestamp=10**12), "item 1: timestamp lies in the future"),
        ("missing.json", '[{{"timestamp": 1}}]', "item 0: device_id is required"),
        ("object.json", "{{}}", "list of entries"),
        ("broken.json", "[", "not valid JSON"),
        ("nan.json", "[NaN]", "not valid JSON"),
        ("deep.json", "[" * 100_000, "nested"),
        ("text.csv", "nonsense", "header lacks"),
        ("quote.csv", CSV + '"', "CSV line"),
        ("word.csv", CSV + "1,x,3,a\n", "item 2, line 4: bytes_ts must be a whole number"),
        ("listing.txt", "[]", "must end in"),
        ("listing", "[]", "must end in"),
    ],
)
def test_what_is_no_listing_is_refused_in_one_line(tmp_path: Path, name: str, text: str, reason: str) -> None:
    pwned = tmp_path / "pwned"
    if name not in ("negative.py", "bool.py", "fraction.py", "complex.py", "bytes.py", "future.py"):
        text = text.format(pwned=str(pwned))
    path = tmp_path / name
    path.write_text(text, errors="surrogatepass")
    with pytest.raises(ListingError) as error:
        listing.load(str(path))
    message = str(error.value)
    assert name.replace("\n", " ") in message
    assert reason in message
    assert "\n" not in message
    assert len(message) < 500
    assert not pwned.exists()
    assert services.devices_list() == []


@pytest.mark.parametrize("name", ["absent.py", "folder.py"])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(ListingError, match=name):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ["bytes.py", "bytes.json", "bytes.csv"])
def test_bytes_that_are_no_text(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ListingError, match=name):
        read(tmp_path / name)
