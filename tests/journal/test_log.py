"""The log on a real file system: torn lines, damage, locks, kills, full disks."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.journal.test_events import ONE_OF_EACH
from tuner.facts.errors import ResultsDamagedError, ResultsHeldError, StorageError
from tuner.journal.events import Event
from tuner.journal.lock import is_held
from tuner.journal.log import open_log, read_events
from tuner.journal.storage import write_atomically

_WRITER = """
import pathlib, sys, time
from tests.journal.test_events import ONE_OF_EACH
from tuner.journal.log import open_log
with open_log(pathlib.Path(sys.argv[1])) as log:
    log.append(*ONE_OF_EACH)
    print("written", flush=True)
    time.sleep(60)
"""

_FULL_DISK = """
import pathlib, resource, signal, sys
from tests.journal.test_events import ONE_OF_EACH
from tuner.facts.errors import StorageError
from tuner.journal.log import open_log
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
with open_log(pathlib.Path(sys.argv[1])) as log:
    written = 0
    try:
        while True:
            log.append(ONE_OF_EACH[written % len(ONE_OF_EACH)])
            written += 1
    except StorageError as error:
        print(written, error)
"""


def write(folder: Path, *events: Event) -> bytes:
    with open_log(folder) as log:
        log.append(*events)
    return (folder / "events.jsonl").read_bytes()


@contextmanager
def writer(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the log and has written one event of each type."""
    process = subprocess.Popen([sys.executable, "-c", _WRITER, str(folder)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_what_was_appended_is_replayed(tmp_path: Path) -> None:
    write(tmp_path, *ONE_OF_EACH[:3])
    with open_log(tmp_path) as log:
        assert list(log.replay()) == ONE_OF_EACH[:3]
        assert log.notice is None
        log.append(*ONE_OF_EACH[3:], sync=False)
    assert read_events(tmp_path) == ONE_OF_EACH


def test_a_torn_last_line_is_mended_and_said_wherever_it_was_torn(tmp_path: Path) -> None:
    whole = write(tmp_path, *ONE_OF_EACH[:2])
    path = tmp_path / "events.jsonl"
    start_of_last = whole[:-1].rfind(b"\n") + 1
    for size in range(start_of_last + 1, len(whole)):
        path.write_bytes(whole[:size])
        assert read_events(tmp_path) == ONE_OF_EACH[:1]
        with open_log(tmp_path) as log:
            assert log.notice is not None
            assert f"{size - start_of_last} bytes" in log.notice
            assert list(log.replay()) == ONE_OF_EACH[:1]
            log.append(ONE_OF_EACH[2])
        assert read_events(tmp_path) == [ONE_OF_EACH[0], ONE_OF_EACH[2]]


@pytest.fixture(scope="module")
def whole_log(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    folder = tmp_path_factory.mktemp("log")
    return folder, write(folder, *ONE_OF_EACH)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_changed_byte_is_always_found(whole_log: tuple[Path, bytes], data: st.DataObject) -> None:
    folder, good = whole_log
    at = data.draw(st.integers(0, len(good) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != good[at]))
    (folder / "events.jsonl").write_bytes(good[:at] + bytes([byte]) + good[at + 1 :])
    try:
        with open_log(folder) as log:
            assert log.notice is not None
            assert at == len(good) - 1, "only a changed last newline may look like a torn line"
    except ResultsDamagedError as error:
        line = good[:at].count(b"\n") + 1
        assert f"line {line} is damaged" in str(error)
        assert "events.jsonl" in str(error)


def test_a_missing_or_repeated_line_end_is_damage(tmp_path: Path) -> None:
    good = write(tmp_path, *ONE_OF_EACH)
    for bad in (b"\n" + good, good + b"\n", good.replace(b"\n", b"\r\n"), good.replace(b"\n", b"", 1), b"text\n"):
        (tmp_path / "events.jsonl").write_bytes(bad)
        with pytest.raises(ResultsDamagedError):
            open_log(tmp_path)
        with pytest.raises(ResultsDamagedError):
            read_events(tmp_path)
        assert (tmp_path / "events.jsonl").read_bytes() == bad


def test_after_damage_the_lock_is_free(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(b"text\n")
    with pytest.raises(ResultsDamagedError):
        open_log(tmp_path)
    assert not is_held(tmp_path)


def test_another_live_process_keeps_us_out_and_readers_in(tmp_path: Path) -> None:
    with writer(tmp_path) as process:
        assert is_held(tmp_path)
        assert read_events(tmp_path) == ONE_OF_EACH
        with pytest.raises(ResultsHeldError, match=f"process {process.pid}"):
            open_log(tmp_path)


def test_a_killed_process_frees_the_lock_and_loses_nothing(tmp_path: Path) -> None:
    with writer(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not is_held(tmp_path)
        with open_log(tmp_path) as log:
            assert list(log.replay()) == ONE_OF_EACH


def test_probing_a_folder_changes_nothing(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    assert not is_held(tmp_path / "gone")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_probes_does_not_keep_a_writer_out(tmp_path: Path) -> None:
    deadline = time.monotonic() + 0.3
    while time.monotonic() < deadline:
        assert not is_held(tmp_path)
        open_log(tmp_path).__exit__(None, None, None)


def test_a_full_disk_leaves_whole_lines_only(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True)
    written, _, sentence = done.stdout.partition(" ")
    assert "cannot be written: File too large" in sentence
    assert len(read_events(tmp_path)) == int(written) > 0
    assert (tmp_path / "events.jsonl").read_bytes().endswith(b"\n")
    with open_log(tmp_path) as log:
        assert log.notice is None


def test_a_folder_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written"):
        open_log(tmp_path / "gone")


def test_an_interrupted_append_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    real = os.write

    def interrupted(descriptor: int, data: bytes) -> int:
        real(descriptor, bytes(data[:10]))
        raise KeyboardInterrupt

    with open_log(tmp_path) as log:
        log.append(ONE_OF_EACH[0])
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(os, "write", interrupted)
            log.append(ONE_OF_EACH[1])
        log.append(ONE_OF_EACH[2])
    assert read_events(tmp_path) == [ONE_OF_EACH[0], ONE_OF_EACH[2]]


def test_grouped_reports_become_durable_within_a_second(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.append(ONE_OF_EACH[3], sync=False)
        log.flush()
        assert read_events(tmp_path) == [ONE_OF_EACH[3]]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    with pytest.raises(StorageError):
        write_atomically(tmp_path / "gone" / "file", b"x")
    assert [item.name for item in tmp_path.iterdir()] == ["file"]
