"""Snapshots of a process: whole, of one moment while others write, and never a worse file than the one before."""

from __future__ import annotations

import logging
import os
import resource
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from timeseries_project.core.offload import give_way
from timeseries_project.ops import metrics
from timeseries_project.snapshots.files import SnapshotFileError
from timeseries_project.snapshots.parts import Part, RestoreError
from timeseries_project.snapshots.services import FileInUseError, SnapshotError, Snapshots
from timeseries_project.tests.snapshot_parts import Numbers

NOW = 1_700_000_000_000_000


def snapshots_of(path: Path, *parts: Part) -> Snapshots:
    return Snapshots(path, lambda: list(parts))


@contextmanager
def closed(snapshots: Snapshots) -> Iterator[Snapshots]:
    """Give the file back, as the end of the process does."""
    try:
        yield snapshots
    finally:
        os.close(snapshots._lock)


def read(path: Path, *names: str) -> list[list[int]]:
    parts = [Numbers(name) for name in names or ("numbers",)]
    with closed(snapshots_of(path.with_name("copy"), *parts)) as snapshots:
        snapshots.path = path
        assert snapshots.restore(now=NOW) is not None
    return [part.stored for part in parts]


def failures() -> float:
    [family] = metrics.snapshot_failures.collect()
    return family.samples[0].value


@contextmanager
def most_bytes(size: int) -> Iterator[None]:
    """No file grows beyond a size: to a writer it is as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_without_a_file_it_is_the_first_start(tmp_path: Path) -> None:
    part = Numbers()
    with closed(snapshots_of(tmp_path / "s", part)) as snapshots:
        assert not snapshots.exists()
        assert snapshots.restore(now=NOW) is None
        assert part.stored == []


def test_what_was_taken_comes_back(tmp_path: Path) -> None:
    a, b = Numbers("a"), Numbers("b")
    a.stored, b.stored = [3, 1, 2], list(range(1_000))
    with closed(snapshots_of(tmp_path / "s", a, b)) as snapshots:
        taken = snapshots.take()
        assert taken.rows == {"a": 3, "b": 1_000}
        assert taken.bytes == (tmp_path / "s").stat().st_size
        assert snapshots.last == taken
    assert read(tmp_path / "s", "a", "b") == [a.stored, b.stored]


def test_the_next_one_takes_the_place_of_the_last_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    part = Numbers()
    with closed(snapshots_of(tmp_path / "s", part)) as snapshots:
        for number in range(3):
            part.add(number)
            snapshots.take()
            assert {path.name for path in tmp_path.iterdir()} == {"s", ".s.lock"}
    assert read(tmp_path / "s") == [[0, 1, 2]]


def test_a_link_to_the_file_stays_one(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "s").symlink_to(tmp_path / "elsewhere" / "real")
    with closed(snapshots_of(tmp_path / "s", Numbers())) as snapshots:
        snapshots.take()
    assert (tmp_path / "s").is_symlink()
    assert (tmp_path / "elsewhere" / "real").is_file()


def test_it_shows_one_moment_while_others_write(tmp_path: Path) -> None:
    """A writer adds to one store and then to the other: the second never has a number that the first lacks."""
    first, second = Numbers("first"), Numbers("second")
    stop = threading.Event()
    acknowledged = 0

    def write() -> None:
        nonlocal acknowledged
        number = 0
        while not stop.is_set():
            first.add(number)
            second.add(number)
            number += 1
            acknowledged = number
            give_way()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with closed(snapshots_of(tmp_path / "s", second, first)) as snapshots:
            for _ in range(5):
                before = acknowledged
                snapshots.take()
                after = acknowledged
                a, b = read(tmp_path / "s", "first", "second")
                assert a == list(range(len(a)))
                assert b == list(range(len(b)))
                assert before <= len(b) <= len(a) <= after + 1
                assert len(a) - len(b) <= 1
    finally:
        stop.set()
        writer.join()


class Slow(Numbers):
    """A store whose first copy waits, in the forked process, until it may go on."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        folder.mkdir()
        self.begun, self.go_on = folder / "begun", folder / "go on"  # named, as inherited descriptors are closed
        os.mkfifo(self.begun)
        os.mkfifo(self.go_on)
        self.copies = 0

    @contextmanager
    def held(self) -> Iterator[None]:
        with super().held():
            self.copies += 1
            yield

    def batches(self) -> Iterator[pa.RecordBatch]:
        if self.copies == 1:
            self.begun.write_bytes(b".")
            self.go_on.read_bytes()
        yield from super().batches()


def test_whoever_asks_while_one_is_written_shares_the_next(tmp_path: Path) -> None:
    part = Slow(tmp_path / "pipes")
    part.add(1)
    with closed(snapshots_of(tmp_path / "s", part)) as snapshots, ThreadPoolExecutor(4) as threads:
        one = threads.submit(snapshots.take)
        assert part.begun.read_bytes() == b"."  # it is being written, without what comes now
        part.add(2)
        others = [threads.submit(snapshots.take) for _ in range(3)]
        while snapshots._next is None:  # until one of them waits
            pass
        part.go_on.write_bytes(b".")
        assert one.result().rows == {"numbers": 1}
        assert {taken.result().rows["numbers"] for taken in others} == {2}
        assert 2 <= part.copies <= 3  # of three that ask, the last may find that the next has begun
    assert read(tmp_path / "s") == [[1, 2]]


def test_a_server_that_stops_ends_the_one_under_way_and_writes_its_own(tmp_path: Path) -> None:
    part = Slow(tmp_path / "pipes")
    part.add(1)
    before = failures()
    with closed(snapshots_of(tmp_path / "s", part)) as snapshots, ThreadPoolExecutor(1) as threads:
        one = threads.submit(snapshots.take)
        assert part.begun.read_bytes() == b"."
        part.add(2)
        assert snapshots.end().rows == {"numbers": 2}
        with pytest.raises(SnapshotError):
            one.result()
        assert part.lock.locked()  # nothing is accepted any more that would be lost
    assert failures() == before
    assert read(tmp_path / "s") == [[1, 2]]
    assert {path.name for path in tmp_path.iterdir()} >= {"s"}
    assert not list(tmp_path.glob(".s.tmp*"))


@pytest.mark.parametrize("how", ["take", "end"])
def test_a_full_disk_leaves_the_last_one_and_is_logged_and_counted(
    tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    part = Numbers()
    part.stored = [1, 2, 3]
    with closed(snapshots_of(tmp_path / "s", part)) as snapshots:
        snapshots.take()
        content, before = (tmp_path / "s").read_bytes(), failures()
        part.stored = list(range(10_000))
        with most_bytes(20_000), pytest.raises(SnapshotError, match="File too large"):
            getattr(snapshots, how)()
        assert (tmp_path / "s").read_bytes() == content
        assert {path.name for path in tmp_path.iterdir()} == {"s", ".s.lock"}
        assert failures() == before + 1
        [record] = caplog.records
        assert record.levelno == logging.ERROR
        assert record.getMessage() == (
            f"A snapshot could not be written to {tmp_path / 's'}: File too large. The one before is as it was."
        )
        if how == "take":  # once there is room again
            assert snapshots.take().rows == {"numbers": 10_000}


class Failing(Numbers):
    """A store that cannot be copied."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def batches(self) -> Iterator[pa.RecordBatch]:
        if self.how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "exit":
            os._exit(3)
        raise RuntimeError("broken\nin two lines")


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("killed", "the process that wrote it ended with signal 9"),
        ("exit", "the process that wrote it ended with status 3"),
        ("raise", r"RuntimeError('broken\nin two lines')"),
    ],
)
def test_a_forked_process_that_fails_says_how(tmp_path: Path, how: str, reason: str) -> None:
    (tmp_path / "s").write_bytes(b"the one before")
    with closed(snapshots_of(tmp_path / "s", Failing(how))) as snapshots:
        with pytest.raises(SnapshotError) as failed:
            snapshots.take()
        assert str(failed.value) == reason
        assert {path.name for path in tmp_path.iterdir()} == {"s", ".s.lock"}
    assert (tmp_path / "s").read_bytes() == b"the one before"


class Looking(Numbers):
    """A store that tells what the forked process is like."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        open_files = len(os.listdir("/proc/self/fd")) - 1  # without the one that lists them
        deadly = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        self.stored = [open_files, int(deadly), os.getpriority(os.PRIO_PROCESS, 0)]
        yield from super().batches()


def test_the_forked_process_keeps_no_socket_and_no_handler(tmp_path: Path) -> None:
    with closed(snapshots_of(tmp_path / "s", Looking())) as snapshots:
        snapshots.take()
    [[open_files, deadly, niceness]] = read(tmp_path / "s")
    assert open_files <= 5  # standard streams, the file, the report
    assert deadly
    assert niceness == min(os.getpriority(os.PRIO_PROCESS, 0) + 5, 19)


def test_what_crashed_servers_have_left_is_deleted(tmp_path: Path) -> None:
    for name in (".s.tmp-1-1", ".s.tmp-99-2", ".other.tmp-1-1", "s.tmp-1-1"):
        (tmp_path / name).write_bytes(b"half of it")
    with closed(snapshots_of(tmp_path / "s", Numbers())):
        assert {path.name for path in tmp_path.iterdir()} == {".s.lock", ".other.tmp-1-1", "s.tmp-1-1"}


def test_two_servers_cannot_have_the_same_file(tmp_path: Path) -> None:
    with closed(snapshots_of(tmp_path / "s")):
        with pytest.raises(FileInUseError, match="another server uses this file"):
            snapshots_of(tmp_path / "s")
        (tmp_path / "link").symlink_to("s")
        with pytest.raises(FileInUseError, match="another server"):
            snapshots_of(tmp_path / "link")
        os.close(snapshots_of(tmp_path / "t")._lock)
    os.close(snapshots_of(tmp_path / "s")._lock)


@pytest.mark.parametrize("folder", ["absent", "file", "/proc"])
def test_a_folder_where_nothing_can_be_written_is_refused(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileInUseError, match="no file can be written in "):
        snapshots_of(tmp_path / folder / "s")


def test_a_file_with_a_part_that_is_unknown_here_is_refused(tmp_path: Path) -> None:
    with closed(snapshots_of(tmp_path / "s", Numbers("numbers"), Numbers("more"))) as snapshots:
        snapshots.take()
    with (
        closed(snapshots_of(tmp_path / "s", Numbers("numbers"))) as snapshots,
        pytest.raises(SnapshotFileError, match="holds 'more' twice, or this version does not know it"),
    ):
        snapshots.restore(now=NOW)


def test_a_part_that_the_file_lacks_stays_empty(tmp_path: Path) -> None:
    with closed(snapshots_of(tmp_path / "s", Numbers("numbers"))) as snapshots:
        snapshots.take()
    part = Numbers("added later")
    with closed(snapshots_of(tmp_path / "s", Numbers("numbers"), part)) as snapshots:
        assert snapshots.restore(now=NOW)
    assert part.stored == []


def test_what_a_part_does_not_take_back_is_told(tmp_path: Path) -> None:
    part = Numbers()
    part.stored = list(range(1_000))
    with closed(snapshots_of(tmp_path / "s", part)) as snapshots:
        snapshots.take()
    with (
        closed(snapshots_of(tmp_path / "s", Numbers(most=500))) as snapshots,
        pytest.raises(RestoreError, match="holds more than 500 numbers"),
    ):
        snapshots.restore(now=NOW)
