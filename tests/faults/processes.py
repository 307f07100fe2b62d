"""Which process is which in a running search, so that a test kills the one that it means."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from pathlib import Path


def kill_child(process: int, program: str) -> bool:
    """Kill -9 the child of a process that runs a program; returns whether there was one."""
    for child in children(process):
        if program in _words(child)[:1]:
            os.kill(child, signal.SIGKILL)
            return True
    return False


def kill_newest_trial(place: Path) -> bool:
    """Kill -9 the worker that wrote down the newest epoch, if it lives; see ``formula.py``."""
    lines = (place / "trained.jsonl").read_text().splitlines() if (place / "trained.jsonl").exists() else []
    worker = json.loads(lines[-1])["pid"] if lines else 0
    # A number may belong to somebody else's process by now.
    if not "".join(_words(worker)).startswith("ray::") or Path(f"/proc/{worker}/cwd").readlink() != place:
        return False
    os.kill(worker, signal.SIGKILL)
    return True


def until_gone(place: Path) -> None:
    """Wait until no process works in a folder: those of a killed driver's Ray go on for a moment."""
    deadline = time.monotonic() + 120
    while place in _current_folders():
        assert time.monotonic() < deadline, "processes of a killed driver live on"
        time.sleep(0.05)


def _current_folders() -> set[Path]:
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            found.add((process / "cwd").readlink())
    return found


def children(process: int) -> list[int]:
    """Return the ids of a process's children."""
    try:
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def _words(process: int) -> list[str]:
    """Return a process's command, the program without its folder."""
    try:
        program, *rest = Path(f"/proc/{process}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return []
    return [program if program.startswith("ray::") else Path(program).name, *rest]
