"""The scores of a model as tables for people."""

from __future__ import annotations

import pytest

from tuner.cli.scores import _print_confusion

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
COUNTS = [[900 + row if row == column else 10 for column in range(10)] for row in range(10)]


@pytest.mark.parametrize(("columns", "heading"), [("70", "10"), ("120", "truck")])
def test_a_confusion_matrix_fits_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str, heading: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    _print_confusion(NAMES, COUNTS)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11 and max(map(len, lines)) <= int(columns)
    assert lines[0].split()[-1] == heading
    assert lines[-1].split()[-11:] == ["truck", *["10"] * 9, "909"]


def test_class_names_cannot_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    _print_confusion(("\x1b[31mred\n", "blue"), [[1, 2], [3, 4]])
    assert "\x1b" not in capsys.readouterr().out
