"""The house around the package: dependencies, make targets, and no trace of the machine it was built on."""

import re
import resource
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROJECT = tomllib.loads(PYPROJECT)["project"]

PARTS = ("tuner", "tests", "docs", "benchmarks", "search_spaces", "deploy", "results/published", ".ci")
TEXT = frozenset((".py", ".md", ".yaml", ".yml", ".toml", ".txt", ".json", ".html", ""))


def constraints():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


@pytest.mark.parametrize("line", PROJECT["dependencies"])
def test_a_direct_dependency_has_a_lower_bound_and_a_reason(line):
    assert re.search(rf'^\s*"{re.escape(line)}",\s+# \S+', PYPROJECT, re.MULTILINE), "a reason beside it"
    assert ">=" in line


@pytest.mark.parametrize("line", PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"])
def test_a_direct_dependency_is_pinned_within_its_bounds(line):
    wanted = Requirement(line)
    pin = constraints()[canonicalize_name(wanted.name)]
    (version,) = (specifier.version for specifier in pin.specifier)
    assert wanted.specifier.contains(version)


def test_constraints_are_exact_versions_and_nothing_else():
    for pin in constraints().values():
        assert re.fullmatch(r"==[\w.+!]+", str(pin.specifier)), pin
        assert pin.url is None
    assert "tuner" not in constraints()


@pytest.mark.parametrize("target", ["setup", "quickstart", "check", "test", "test-slow", "test-long", "benchmark"])
def test_make_target(target):
    subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (None, "is missing; install Python 3.11 or newer"),
        ("exit 1", "is older than 3.11"),
        ('case "$2" in *venv*) exit 1;; esac', "has no venv; install it"),
    ],
)
def test_a_python_that_cannot_be_used_is_one_clear_sentence(tmp_path, script, said):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    python = tmp_path / "python"
    if script is not None:
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
    done = subprocess.run(
        ["make", "setup", f"PYTHON={python}"], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert f"{python} {said}" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_the_build_script_runs_every_check_and_can_be_executed():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert "for target in check test test-slow" in script.read_text()


def test_no_file_names_a_folder_of_somebodys_machine():
    # A test may speak of an invented person, whose name is "me".
    personal = re.compile("/(" + "|".join(("home", "root", "Users", "work")) + r")/(?!me\b)[\w.]")
    files = [file for part in PARTS for file in (ROOT / part).rglob("*") if file.is_file()]
    files += [file for file in ROOT.iterdir() if file.is_file()]
    named = [
        f"{file.relative_to(ROOT)}: {found.group()}"
        for file in files
        if file.suffix in TEXT and "__pycache__" not in file.parts
        if (found := personal.search(file.read_text(encoding="utf-8", errors="replace")))
    ]
    assert named == []


def test_help_costs_little():
    """Under 0.3 s of a processor's time, the best of three; what it loads is held by the test of the architecture."""
    command = [sys.executable, "-m", "tuner", "--help"]
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) < 0.3
