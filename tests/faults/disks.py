"""Disks that a test may fill, and one that the kernel makes read-only as it does when a disk fails.

Only root may mount them; where nobody may, the tests are skipped.
"""

from __future__ import annotations

import errno
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """Mount a disk of some size at a folder, which is made."""
    folder.mkdir()
    _run_or_skip("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
    try:
        yield
    finally:
        _run("umount", "--lazy", folder)


def enlarge(folder: Path, size: str) -> None:
    """Give the disk at a folder another size."""
    _run("mount", "-o", f"remount,size={size}", folder)


def fill(folder: Path) -> Path:
    """Fill the disk at a folder to its last page, again if need be; returns the file that does it."""
    path = folder / "filler"
    with path.open("ab", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC
    return path


@contextmanager
def failing_disk(folder: Path, image: Path) -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
    """Mount a disk at a folder, which is made; yields what makes the kernel find it broken, and what mends it."""
    image.write_bytes(b"")
    with image.open("r+b") as file:
        file.truncate(64 << 20)
    _run_or_skip("mkfs.ext4", "-q", image)
    folder.mkdir()
    mount = ("mount", "-o", "loop,errors=remount-ro", image, folder)
    _run_or_skip(*mount)

    def fail() -> None:
        device = _run("findmnt", "--noheadings", "--output", "SOURCE", folder)
        (Path("/sys/fs/ext4") / Path(device.strip()).name / "trigger_fs_error").write_text("tests")

    def mend() -> None:
        deadline = time.monotonic() + 120
        while subprocess.run(["umount", str(folder)], check=False, capture_output=True).returncode:
            assert time.monotonic() < deadline, "the processes of a search that has ended hold its disk"
            time.sleep(0.1)
        subprocess.run(["fsck.ext4", "-p", str(image)], check=False, capture_output=True)
        _run(*mount)

    try:
        yield fail, mend
    finally:
        _run("umount", "--lazy", folder)


def _run(*words: str | Path) -> str:
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True).stdout


def _run_or_skip(*words: str | Path) -> None:
    try:
        _run(*words)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"disks cannot be mounted here: {error}")
