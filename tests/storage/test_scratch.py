"""Temporary folders that do not outlive their processes for long."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tuner.storage.scratch import make_scratch, remove_scratch

_MAKER = """
import time
from tuner.storage.scratch import make_scratch
folder = make_scratch()
(folder / "large").write_bytes(bytes(1000))
print(folder, flush=True)
time.sleep(60)
"""


def test_what_a_killed_process_left_goes_and_what_a_live_one_holds_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / "tuner-copy-of-mine").mkdir()  # no lock in it: it is not of ours
    with subprocess.Popen([sys.executable, "-c", _MAKER], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        ours = make_scratch()
        assert list(ours.iterdir()) == [] and (theirs / "large").exists()
        other.kill()
    another = make_scratch()
    assert not theirs.parent.exists() and ours.exists()
    for folder in (ours, another):
        remove_scratch(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["tuner-copy-of-mine"]
