"""What somebody else wrote is shown as text: it neither moves nor recolours a terminal, nor runs in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.leaderboard.logs import INFO, NOON, config, demo, write_search
from tuner.cli.logs import print_log
from tuner.cli.main import main
from tuner.cli.progress import observer
from tuner.facts.printable import only_coloured
from tuner.facts.records import Goal, Origin, State
from tuner.journal.events import Ask, End, Epoch, Open, Start
from tuner.leaderboard.info import SearchInfo

#: Clears the screen, an 8-bit form of the same, a title, a line that runs backwards, half a surrogate pair is below.
EVIL = "a\x1b[2J\x9b31m\x1b]0;owned\x07\u202eb\r\n"
ALLOWED = {"\n"}


def hostile(folder: Path) -> Path:
    info = SearchInfo(EVIL, EVIL, Goal.MAXIMIZE, {**INFO.hyperparameters, EVIL: "string", "odd": "json"})
    more: dict[str, Any] = {EVIL: EVIL, "odd": [EVIL, "\ud800"], "model": "=cmd()", "optimizer": EVIL}
    events = [
        Open(at=NOON, slots=1, trials=1),
        Ask(at=NOON, n=0, config=config(**more), origin=Origin.RANDOM),
        Start(at=NOON, n=0, attempt=1, node=EVIL, device=EVIL),
        Epoch(
            at=NOON,
            n=0,
            attempt=1,
            epoch=1,
            score=0.5,
            metrics={EVIL: 1.0},
            seconds=1.0,
            memory_mb=None,
            checkpoint="a1-e1",
        ),
        End(at=NOON, n=0, attempt=1, state=State.COMPLETED, stop_reason=EVIL, error=EVIL),
        *demo()[1:0],
    ]
    return write_search(folder / "results" / "evil", events, info)


def tamed(text: str) -> bool:
    return bool(text) and all(character.isprintable() or character in ALLOWED for character in text)


COMMANDS = [
    "leaderboard evil",
    "leaderboard evil --top 0 --format md",
    "leaderboard evil --format csv",
    "leaderboard evil --json",
    "leaderboard evil --where nothing==1",
    "show evil/0",
    "show evil/0 --json",
    "show evil/0 --config",
    "show evil/0 --search-file",
    "status evil",
    "status evil --json",
    "logs evil",
    "logs evil --json",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_prints_what_a_terminal_obeys(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile(tmp_path)
    monkeypatch.chdir(tmp_path)
    main(command.split())
    shown = capsys.readouterr()
    assert tamed(shown.out + shown.err), (shown.out + shown.err).encode()


@pytest.mark.parametrize("words", [["show", f"{EVIL}/1"], ["check", EVIL], ["leaderboard", "--results", EVIL], [EVIL]])
def test_errors_name_what_was_typed_and_no_more(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert tamed(capsys.readouterr().err)


def test_a_search_file_is_quoted_without_its_control_characters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "space.yaml"
    path.write_text('parameters: {"x\\e[2J": 1}\nmetrik: \u202e\n')
    assert main(["check", str(path)]) == 2
    assert tamed(capsys.readouterr().err)


def test_progress_shows_notices_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    for mode in ("none", "lines", "live"):
        observer(mode).notice(EVIL)
    assert "\x1b]0" not in capsys.readouterr().err


def test_a_log_in_a_terminal_keeps_its_colours_alone() -> None:
    said = "\x1b[1;32mepoch 1\x1b[0m\r\t42 %\n"
    assert only_coloured(said + EVIL) == said + "a [2J 31m ]0;owned  b\r\n"
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    print_log([EVIL], stream)
    assert "\x1b" not in stream.getvalue() and "\x9b" not in stream.getvalue()


def test_a_spreadsheet_is_given_no_formula(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["leaderboard", "evil", "--format", "csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["model"] == "'=cmd()"
    assert not any(value.startswith(("=", "+", "-", "@", "\t", "\r")) for value in row.values() if value)


def test_json_holds_it_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["show", "evil/0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["trials"][0]["optimizer"] == EVIL
