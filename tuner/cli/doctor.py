"""``tuner doctor``: what this machine offers, what is missing, and what to do about it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import tuner
from tuner.cli.options import add_results
from tuner.facts.addresses import is_address
from tuner.facts.errors import ExitCode, TunerError

PACKAGES = ("torch", "torchvision", "ray", "optuna", "pandas", "pyarrow")
PROXIES = ("http_proxy", "https_proxy", "all_proxy")

_SHARED_MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 - only its size is read

_GIB = 2**30
_CACHE_ROOM = 1 * _GIB  # CIFAR-10 takes 0.55 GiB: the archive, what torchvision unpacks, the decoded arrays
_MEMORY = 2 * _GIB  # a trial with torch loaded takes about 0.5 GiB, Ray itself about 1
_SHARED_MEMORY = 256 * 2**20  # Ray falls back to slower files in /tmp below what its object store asks for


class Status(StrEnum):
    """How a finding matters: a note changes how things run, a problem keeps them from running."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One line of the answer; ``advice`` is empty where all is well."""

    name: str
    status: Status
    value: str
    advice: str = ""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_results(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the findings; the exit code is 1 if one of them is a problem."""
    findings = examine(args.results)
    problems = sum(finding.status is Status.PROBLEM for finding in findings)
    if args.json:
        print(json.dumps({"version": 1, "findings": [asdict(finding) for finding in findings]}))
    else:
        _show(findings, problems)
    return ExitCode.ABORTED if problems else ExitCode.OK


def examine(results: str) -> list[Finding]:
    """Return every finding, in the order in which they are shown."""
    from tuner.datasets.cache import cache_folder

    machine: tuple[Callable[[], Finding], ...] = (_cores, _memory, _shared_memory, _gpus)
    return [
        Finding("python", Status.OK, platform.python_version()),
        Finding("tuner", Status.OK, tuner.__version__),
        *map(_package, PACKAGES),
        *(find() for find in machine),
        _folder("cache", cache_folder(), "set TUNER_CACHE to a folder that can be written", room=_CACHE_ROOM),
        _results(results),
        *_environment(),
    ]


def _package(name: str) -> Finding:
    try:
        return Finding(name, Status.OK, version(name))
    except PackageNotFoundError:
        return Finding(name, Status.PROBLEM, "missing", f"pip install {name}")


def _cores() -> Finding:
    # Only Linux tells which cores this process may use.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Finding("CPU cores", Status.OK, str(cores))


def _memory() -> Finding:
    size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if size < _MEMORY:
        return Finding("memory", Status.NOTE, _spelled(size), "run one trial at a time: --max-concurrent 1")
    return Finding("memory", Status.OK, _spelled(size))


def _shared_memory() -> Finding:
    name = "shared memory"
    if not _SHARED_MEMORY_FOLDER.is_dir():
        return Finding(name, Status.OK, "none on this system")
    size = shutil.disk_usage(_SHARED_MEMORY_FOLDER).total
    if size < _SHARED_MEMORY:
        advice = "Ray falls back to files in /tmp; in a container, start it with --shm-size=1g"
        return Finding(name, Status.NOTE, _spelled(size), advice)
    return Finding(name, Status.OK, _spelled(size))


def _gpus() -> Finding:
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
    except FileNotFoundError:
        return Finding("GPUs", Status.OK, "none")
    except (OSError, subprocess.SubprocessError):
        return Finding("GPUs", Status.NOTE, "unknown", "nvidia-smi is there and does not answer; check the driver")
    names = "; ".join(line.strip() for line in answer.splitlines() if line.strip()) or "none"
    if names != "none" and not _torch_sees_a_gpu():
        advice = (
            "this torch cannot use them: a CPU build, a driver too old for its CUDA, or CUDA_VISIBLE_DEVICES hides them"
        )
        return Finding("GPUs", Status.PROBLEM, names, advice)
    return Finding("GPUs", Status.OK, names)


def _torch_sees_a_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _folder(name: str, folder: Path, advice: str, room: int = 0) -> Finding:
    """Look whether a folder can be written, or made, without leaving anything behind."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            free = shutil.disk_usage(existing).free
    except OSError as error:
        return Finding(name, Status.PROBLEM, f"{folder} cannot be written ({error.strerror})", advice)
    value = f"{folder}, {_spelled(free)} free"
    if free < room:
        return Finding(name, Status.NOTE, value, f"a data set may need {_spelled(room)}; make room, or {advice}")
    return Finding(name, Status.OK, value)


def _results(results: str) -> Finding:
    """Look whether results can be written into a folder, or be seen on object storage."""
    if not is_address(results):
        return _folder("results", Path(results).absolute(), "name another folder with --results")
    from tuner.storage.objects import Objects

    try:
        Objects.at(results).children()
    except TunerError as error:
        return Finding("results", Status.PROBLEM, str(error), "see docs/object-storage.md")
    return Finding("results", Status.OK, f"{results}, can be listed")


def _environment() -> list[Finding]:
    """Return a finding for each variable that changes how a search runs; a proxy's address may hold a password."""
    findings = []
    if "RAY_ADDRESS" in os.environ:
        advice = "a search on this machine starts a Ray of its own and does not join that cluster"
        findings.append(Finding("RAY_ADDRESS", Status.NOTE, os.environ["RAY_ADDRESS"], advice))
    names = {name for proxy in PROXIES for name in (proxy, proxy.upper()) if os.environ.get(name)}
    if names:
        advice = "downloads go through it; put cluster addresses into no_proxy"
        findings.append(Finding("proxy", Status.NOTE, f"{', '.join(sorted(names))} set", advice))
    return findings


def _show(findings: list[Finding], problems: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    colours = {Status.OK: "green", Status.NOTE: "yellow", Status.PROBLEM: "bold red"}
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        value = Text(finding.value)
        if finding.advice:
            value.append(f"\n{finding.advice}", style=colours[finding.status])
        table.add_row(Text(finding.status, style=colours[finding.status]), finding.name, value)
    console = Console()
    console.print(table)
    console.print(f"\n{problems} problem{'' if problems == 1 else 's'}" if problems else "\nReady.", highlight=False)


def _spelled(size: int) -> str:
    return f"{size / _GIB:.1f} GiB"
