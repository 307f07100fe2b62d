"""What README and docs show is true: search files are good, examples run, options and pages exist."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tuner.cli.main import COMMANDS
from tuner.facts.errors import SearchFileError
from tuner.hyperparameters.table import TRAINABLES
from tuner.space.read import read_search_file

PAGES = [
    Path("README.md"),
    Path("CHANGELOG.md"),
    Path("results/README.md"),
    Path("benchmarks/README.md"),
    Path("deploy/README.md"),
    *sorted(Path("docs").glob("*.md")),
]
_BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in _BLOCK.findall(page.read_text(encoding="utf-8")) if kind == language]


SEARCH_FILES = [(page, text) for page in PAGES for text in blocks(page, "yaml") if "parameters:" in text]


@pytest.mark.parametrize(
    ("page", "text"), SEARCH_FILES, ids=lambda value: value.name if isinstance(value, Path) else ""
)
def test_search_files_in_docs_are_good(page: Path, text: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def train(config, checkpoint):\n    yield {}\n")
    (tmp_path / "space.yaml").write_text(text)
    read_search_file(tmp_path / "space.yaml", trainables=TRAINABLES)


def test_the_example_of_ones_own_trainable_runs(tmp_path: Path) -> None:
    page = Path("docs/own-trainable.md")
    (tmp_path / "mine.py").write_text(blocks(page, "python")[0])
    (tmp_path / "mine.yaml").write_text(blocks(page, "yaml")[0])
    done = subprocess.run(
        [sys.executable, "-m", "tuner", "search", "mine.yaml", "--trials", "4"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "completed" in done.stdout


def test_the_mistake_in_the_readme_is_told_as_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = PAGES[0].read_text(encoding="utf-8")
    good = blocks(PAGES[0], "yaml")[0]
    (tmp_path / "space.yaml").write_text(good.replace("min: 1e-5, max: 1e-2", "min: 1e-5, maximum: 1e-2"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SearchFileError) as caught:
        read_search_file(Path("space.yaml"), trainables=TRAINABLES)
    assert all(f"    {line}".rstrip() in readme for line in str(caught.value).splitlines())


def options(command: str) -> set[str]:
    parser = argparse.ArgumentParser()
    import_module(f"tuner.cli.{command}").configure(parser)
    return {option for action in parser._actions for option in action.option_strings}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_commands_in_docs_have_their_options(page: Path) -> None:
    lines = re.findall(r"^(?:    |\$ )*tuner (\w+)(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    for command, rest in lines:
        assert command in COMMANDS, f"{page}: tuner {command}"
        unquoted = re.sub(r"'[^']*'|\"[^\"]*\"|#.*", "", rest)
        assert set(re.findall(r"(?<!\S)--[a-z-]+", unquoted)) <= options(command), f"{page}: tuner {command}{rest}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page} links to {target}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tuner", command, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0 and COMMANDS[command].split()[0] in done.stdout
