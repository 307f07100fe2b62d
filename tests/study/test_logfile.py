"""What trials print, where others can read it: in a folder at once, on object storage soon."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.storage.server import S3Server, s3
from tuner.storage.copies import attach
from tuner.storage.objects import Objects
from tuner.study import logfile
from tuner.study.logfile import LogFile

__all__ = ["s3"]


@pytest.fixture
def place(s3: S3Server, tmp_path: Path) -> str:
    return s3.address(tmp_path.name)


def say(text: str) -> None:
    """Print past pytest, which has a stdout of its own."""
    os.write(1, text.encode())


def test_prints_of_children_and_later_attempts_are_in_one_file(tmp_path: Path) -> None:
    first = LogFile(tmp_path / "logs", 3)
    say("one\n")
    subprocess.run([sys.executable, "-c", "print('a child')"], check=True)
    first.close()
    second = LogFile(tmp_path / "logs", 3, continued=True)
    os.write(2, b"two\n")
    second.close()
    assert (tmp_path / "logs/3.log").read_text() == "one\na child\ntwo\n"


def test_an_empty_log_leaves_nothing(tmp_path: Path, place: str) -> None:
    for root in (tmp_path, attach(place)):
        LogFile(root / "logs", 3).close()
        assert not (root / "logs/3.log").exists()
    assert Objects.at(place).list() == []


def test_another_node_goes_on_in_the_log(place: str) -> None:
    first = LogFile(attach(place) / "logs", 3)
    say("one\n")
    first.push()
    assert Objects.at(place).get("logs/3.log") == b"one\n", "before the process lets go of the trial"
    first.close()
    shutil.rmtree(attach(place) / "logs")  # as it is on a node that has never seen the trial
    second = LogFile(attach(place) / "logs", 3, continued=True)
    say("two\n")
    second.close()
    assert Objects.at(place).get("logs/3.log") == b"one\ntwo\n"


def test_what_a_process_prints_before_it_hangs_can_be_read(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfile, "_PUSH_SECONDS", 0.05)
    log = LogFile(attach(place) / "logs", 3)
    say("about to hang\n")
    deadline = time.monotonic() + 60
    while Objects.at(place).get("logs/3.log") != b"about to hang\n":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    log.close()


def test_a_storage_that_is_gone_ends_no_trial(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    log = LogFile(attach(place) / "logs", 3)
    monkeypatch.setattr("tuner.storage.objects.Objects.upload", _refused)
    say("one\n")
    log.close()


def _refused(*_: object) -> None:
    from tuner.facts.errors import StorageError

    raise StorageError("it cannot be reached")
