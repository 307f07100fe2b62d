"""The container image as far as its Dockerfile tells: nothing here builds it."""

import re
import tomllib
from pathlib import Path

from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def instructions():
    """Return the Dockerfile's (instruction, arguments), continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def environment():
    """Return the ENV of the final stage."""
    steps = instructions()
    last = max(number for number, (step, _) in enumerate(steps) if step == "FROM")
    return dict(word.split("=", 1) for step, words in steps[last:] if step == "ENV" for word in words.split())


def all_of(step):
    return [words for name, words in instructions() if name == step]


def test_it_is_built_in_two_stages_with_a_python_that_the_project_takes():
    bases = all_of("FROM")
    assert bases == ["python:3.12-slim AS build", "python:3.12-slim"]
    (version,) = {re.match(r"python:([\d.]+)-", base)[1] for base in bases}
    assert SpecifierSet(PROJECT["requires-python"]).contains(f"{version}.0")


def test_it_installs_the_pinned_versions_with_what_a_cluster_needs():
    (install,) = [words for words in all_of("RUN") if "pip install" in words]
    assert "-c constraints.txt" in install
    extras = re.search(r"'\.\[([\w,]+)\]'", install)[1].split(",")
    assert {"cluster", "s3"} <= set(extras) <= set(PROJECT["optional-dependencies"])


def test_it_runs_as_user_1000_whose_home_anybody_can_write():
    assert all_of("USER") == ["tuner"]
    assert any(re.match(r"useradd --uid 1000 .* tuner\b", words) for words in all_of("RUN"))
    (folders,) = [words for words in all_of("RUN") if "--mode=1777" in words]
    assert {environment()["HOME"], environment()["TUNER_CACHE"], *all_of("WORKDIR")[1:]} <= set(folders.split())


def test_what_ray_up_and_kuberay_call_is_there():
    steps = instructions()
    (packages,) = [words for step, words in steps if step == "RUN" and "apt-get install" in words]
    assert {"openssh-client", "rsync", "wget"} <= set(packages.split())
    # A login shell of Debian sets PATH anew, and then reads /etc/profile.d.
    folder = environment()["PATH"].partition(":")[0]
    assert any(f"PATH={folder}:$PATH" in words and "/etc/profile.d/" in words for words in all_of("RUN"))
    assert ("ENTRYPOINT", '["tuner"]') in steps


def test_a_ray_that_runs_in_it_is_set_as_tuner_sets_one_of_its_own():
    from tuner.study.resources import _ENVIRONMENT

    assert {"RAY_USAGE_STATS_ENABLED", "RAY_memory_monitor_refresh_ms"} <= set(environment())
    for name, value in _ENVIRONMENT.items():
        assert environment().get(name, value) == value


def test_it_takes_only_what_is_there_and_no_secrets():
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert allowed[0] == "*", "what is not named stays out, such as .git, results and caches"
    assert all(line.startswith("!") or line == "**/__pycache__" for line in allowed[1:])
    for step, words in instructions():
        assert not re.search(r"(?i)token|password|secret|api_?key", words)
        if step == "COPY" and not words.startswith("--from"):
            for source in words.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in allowed, source
    assert {line[1:] for line in allowed if line.startswith("!")} == {
        source for words in all_of("COPY") if not words.startswith("--from") for source in words.split()[:-1]
    }
