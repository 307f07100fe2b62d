"""What ``tuner confirm`` and ``tuner ablate`` print, at the widths of terminals."""

from __future__ import annotations

from typing import Any

import pytest

from tuner.cli import ablate, confirm
from tuner.cli.sentences import wrapped

METRIC = {"name": "val_accuracy", "goal": "maximize"}
SCORE = {"mean": 0.9012, "std": 0.0123, "low": 0.89, "high": 0.912}
ERROR = {"bias_and_noise": 0.1911, "variance": 0.0522}


def difference(mean: float, low: float, high: float, p: float, verdict: str) -> dict[str, Any]:
    return {"mean": mean, "low": low, "high": high, "p_adjusted": p, "verdict": verdict}


def confirmed(seeds: int = 5) -> dict[str, Any]:
    sentence = "trial 128 is better than the default: val_accuracy +0.0312 on average, between +0.0201 and +0.0423"
    shown = difference(0.0312, 0.0201, 0.0423, 0.00012, "better")
    noise = difference(2.78e-17, -0.0213, 0.0213, 1.0, "not shown")
    row = {"search_score": 0.95, "score": SCORE, "error": ERROR}
    return {
        "search": "cifar10",
        "metric": METRIC,
        "seeds": list(range(seeds)),
        "default": {"name": "default", "score": SCORE, "error": ERROR},
        "default_values": {"schedule": "constant", "lr": 0.05, "ema_decay": None},
        "trials": [
            {"name": "trial 128", **row, "difference": shown, "sentence": sentence},
            {"name": "trial 3", **row, "difference": noise, "sentence": "trial 3 is not shown to be better"},
        ],
    }


def ablated() -> dict[str, Any]:
    row = {"score": SCORE, "generalization_gap": SCORE}
    harm = difference(0.0312, 0.0201, 0.0423, 0.00012, "better")
    none = difference(0.0001, -0.0213, 0.0213, 1.0, "not shown")
    verdicts = {"does harm": harm, "is not shown to matter": none}
    names = {"does harm": ["label_smoothing"], "is not shown to matter": ["label_smoothing", "mixup_alpha"]}
    return {
        "search": "cifar10",
        "number": 3,
        "metric": METRIC,
        "seeds": [1, 2, 3, 4, 5],
        "regularizers": {"label_smoothing": 0.1, "mixup_alpha": 0.4},
        "full": {"name": "full", **row},
        "ablations": [
            {**row, "off": names[said], "difference": found, "verdict": said, "sentence": f"{said}. " * 12}
            for said, found in verdicts.items()
        ],
    }


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def printed(command: Any, record: dict[str, Any], columns: str) -> list[str]:
        monkeypatch.setenv("COLUMNS", columns)
        command._print(record)
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    return printed


def test_a_wide_terminal_shows_every_column(printed: Any) -> None:
    lines = printed(confirm, confirmed(), "120")
    headings = "search val_accuracy difference between p verdict bias and noise variance"
    assert lines[0].split() == headings.split()
    assert lines[2].split()[:8] == ["trial", "128", "0.9500", "0.9012", "±", "0.0123", "+0.0312", "+0.0201"]
    assert lines[3].split()[6:11] == ["0.0000", "-0.0213", "+0.0213", "1", "not"], "rounding noise is nothing"
    assert "the default, where trial 128 differs from it: schedule constant, lr 0.05, ema_decay null" in lines
    assert "seeds intervals are wide" not in "".join(lines)


@pytest.mark.parametrize(
    ("command", "record", "hidden", "kept"),
    [
        (confirm, confirmed(), "bias and noise, variance", "+0.0201 +0.0423"),
        (ablate, ablated(), "gap, p", "+0.0201 +0.0423"),
    ],
)
def test_80_columns_break_no_word(printed: Any, command: Any, record: dict[str, Any], hidden: str, kept: str) -> None:
    lines, everything = printed(command, record, "80"), printed(command, record, "")
    assert max(map(len, lines)) <= 80
    assert f"too narrow to show {hidden}" in "\n".join(lines)
    assert lines[2].count("±") == 1 and kept in "\n".join(lines) and "not shown" in lines[3] + lines[2]
    words = {word for line in everything[everything.index("") :] for word in line.split()}
    assert words == {word for line in lines[lines.index("") :] for word in line.split()}


def test_few_seeds_are_told(printed: Any) -> None:
    assert "with 2 seeds intervals are wide; 5 to 10 are a good number (--seeds)" in printed(confirm, confirmed(2), "")


def test_what_is_longer_than_a_line_stays_whole() -> None:
    path = "a/" * 30
    assert wrapped(f"no such file: {path} at all", 20) == f"no such file:\n  {path}\n  at all"
    assert wrapped("one two", None) == "one two"
