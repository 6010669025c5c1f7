"""The file of a snapshot: what is written is read, by others too, and what is not whole is refused in words."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pyarrow as pa
import pytest

from timeseries_project import __version__
from timeseries_project.snapshots import files
from timeseries_project.snapshots.files import SnapshotFileError, SnapshotReader
from timeseries_project.tests.snapshot_parts import SCHEMA, Numbers

INSTANT = 1_700_000_000_123_456


def written(path: Path, *parts: Numbers) -> bytes:
    result = files.write_beside(path, parts, instant=INSTANT)
    content = path.read_bytes()
    assert result.bytes == len(content)
    return content


def filled(name: str, count: int) -> Numbers:
    part = Numbers(name)
    part.stored = list(range(count))
    return part


def read_all(path: Path) -> None:
    for _, stream in SnapshotReader(path).streams():
        list(stream)


def refusal(path: Path) -> str:
    with pytest.raises(SnapshotFileError) as refused:
        read_all(path)
    return str(refused.value)


@pytest.mark.parametrize("counts", [(), (0,), (1,), (250, 0, 7)])
def test_what_is_written_is_read(tmp_path: Path, counts: tuple[int, ...]) -> None:
    path = tmp_path / "s"
    parts = [filled(f"part {place}", count) for place, count in enumerate(counts)]
    written(path, *parts)
    reader = SnapshotReader(path)
    assert (reader.instant, reader.bytes) == ("2023-11-14T22:13:20.123456Z", path.stat().st_size)
    found = {name: (stream.schema, stream.read_all()) for name, stream in reader.streams()}
    assert list(found) == [part.name for part in parts]
    for part in parts:
        schema, table = found[part.name]
        assert schema.equals(SCHEMA)
        assert table.column("number").to_pylist() == part.stored


def test_any_library_reads_the_streams_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "s"
    content = written(path, filled("a", 3), filled("b", 0))
    with pa.OSFile(str(path)) as source:
        tables = []
        while source.tell() < source.size():
            tables.append(pa.ipc.open_stream(source).read_all())
    head, a, b, last = tables
    assert head.schema.metadata == {
        b"format": b"timeseries-statistics snapshot",
        b"version": b"1",
        b"service": __version__.encode(),
        b"instant": b"2023-11-14T22:13:20.123456Z",
    }
    assert (a.schema.metadata, b.schema.metadata) == ({b"part": b"a"}, {b"part": b"b"})
    assert (a.num_rows, b.num_rows) == (3, 0)
    assert last.column("sha256").to_pylist() == [hashlib.sha256(content[:-1_024]).digest()]


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    written(tmp_path / "s")
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600


def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s"
    content = written(path, filled("a", 2))
    for length in range(len(content)):
        path.write_bytes(content[:length])
        assert refusal(path) in {
            "is no snapshot, or was cut off: there is no checksum at its end",
            "is damaged: it differs from the checksum at its end",
        }


def test_a_file_with_any_byte_changed_is_refused_or_the_same(tmp_path: Path) -> None:
    """What may change unseen are bytes of the last stream that say nothing: its padding."""
    path = tmp_path / "s"
    content = written(path, filled("a", 2))
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            [(name, stream)] = SnapshotReader(path).streams()
            assert place >= len(content) - 1_024
            assert (name, stream.read_all().column("number").to_pylist()) == ("a", [0, 1])
        except SnapshotFileError as error:
            assert "\n" not in str(error)  # noqa: PT017 - the other outcome is as good


@pytest.mark.parametrize("more", [b"\0", b"\0" * 1_024, None])
def test_a_file_with_something_behind_it_is_refused(tmp_path: Path, more: bytes | None) -> None:
    path = tmp_path / "s"
    content = written(path, filled("a", 2))
    path.write_bytes(content + (content if more is None else more))
    if more is None:  # two files, of which the second one's checksum is not of both
        assert refusal(path) == "is damaged: it differs from the checksum at its end"
    else:
        assert refusal(path).startswith("is no snapshot, or was cut off")


def arrow_file() -> bytes:
    sink = pa.BufferOutputStream()
    table = pa.table({"n": list(range(5_000))})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"not this", b"\xff" * 5_000, os.urandom(5_000), b"timestamp,value\n" * 999, arrow_file()]
)
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s"
    path.write_bytes(content)
    assert refusal(path) == "is no snapshot, or was cut off: there is no checksum at its end"


def test_a_foreign_file_with_our_checksum_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s"
    content = arrow_file()
    path.write_bytes(content + files._last_stream(hashlib.sha256(content).digest()))
    assert refusal(path) == "is no snapshot of this service"


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"\xff\xff\xff\xff\x10\0\0\0" + b"\x07" * 64])
def test_a_file_with_our_checksum_that_is_not_arrow_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s"
    path.write_bytes(content + files._last_stream(hashlib.sha256(content).digest()))
    assert refusal(path).startswith("cannot be read: ")


def test_a_file_of_a_newer_version_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(files, "VERSION", 2)
        newer.setattr(files, "__version__", "9.8.7")
        written(tmp_path / "s")
    assert refusal(tmp_path / "s") == (
        "has version 2 of the format, written by version 9.8.7 of the service; "
        f"this is {__version__}, which reads version 1"
    )


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
        assert refusal(path) == "is not a regular file"
    with pytest.raises(FileNotFoundError):
        SnapshotReader(tmp_path / "absent")


def test_a_file_is_not_written_over_another(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"kept")
    with pytest.raises(FileExistsError):
        files.write_beside(tmp_path / "s", [], instant=INSTANT)
    assert (tmp_path / "s").read_bytes() == b"kept"


class Broken(Numbers):
    def batches(self):  # type: ignore[no-untyped-def]
        yield from super().batches()
        raise OSError(28, "No space left on device")


def test_of_a_file_that_fails_nothing_is_left(tmp_path: Path) -> None:
    part = Broken()
    part.stored = [1, 2, 3]
    with pytest.raises(OSError, match="No space left"):
        files.write_beside(tmp_path / "s", [part], instant=INSTANT)
    assert list(tmp_path.iterdir()) == []
