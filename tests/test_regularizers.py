"""The table of what each regularizer does: its runs go on where they were interrupted, and its page is theirs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tuner.hyperparameters.table import resolve

sys.path.append("benchmarks")  # scripts, no package: they import their neighbours by name

from regularizers import BASE, CASES, Data, append, missing, read
from regularizers_page import page

DATA = Data("synthetic", None, validation=100, train_images=200)


def finished(case: str, seed: int, accuracies: list[float], **changes: object) -> dict:
    """A run whose training accuracy is 1 in every epoch, and whose loss is the number of the epoch."""
    return {
        **{"case": case, "seed": seed, "config": {**BASE, **CASES[case]}, "images": DATA.sizes},
        **{"stop_reason": "budget", "seconds": 3600.0, "val_accuracy": accuracies},
        "train_accuracy": [1.0] * len(accuracies),
        "val_loss": [float(epoch) for epoch in range(1, 1 + len(accuracies))],
        "machine": {"cpu": "a processor", "processes": 2, "threads": 1},
        "versions": {"python": "3.11.0", "torch": "2.11.0"},
        **changes,
    }


@pytest.mark.parametrize("case", CASES)
def test_every_case_can_be_trained(case: str) -> None:
    resolve({**BASE, **CASES[case]})


def test_what_is_finished_is_not_run_again(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    append(path, finished("nothing", 0, [0.5]))
    append(path, finished("l1", 0, [0.5], config={**BASE, "l1": 0.5}))  # another strength than the table's
    left = [(case, seed) for case, seed, _ in missing(read(path), DATA, BASE["epochs"])]
    assert len(left) == 3 * len(CASES) - 1 == len(set(left))
    assert ("nothing", 0) not in left
    assert len(list(missing(read(path), Data("synthetic", None, 100, 300), BASE["epochs"]))) == 3 * len(CASES)


def test_a_line_that_was_cut_short_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    append(path, finished("nothing", 0, [0.5]))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])
    assert read(path) == [finished("nothing", 0, [0.5])]
    append(path, finished("l1", 0, [0.5]))
    assert [run["case"] for run in read(path)] == ["nothing", "l1"]


def test_a_row_is_the_best_epoch_and_the_difference_of_pairs() -> None:
    runs = [finished("nothing", seed, [0.25, 0.5, 0.375]) for seed in (0, 1)]
    runs += [finished("flip", 0, [0.5, 0.75]), finished("flip", 1, [0.625])]
    runs += [finished("l1", seed, [], stop_reason="diverged") for seed in (0, 1)]
    text = page(runs, CASES)
    assert "| nothing |  | 50.0 |  | 50.0 |  | 2.00 | 3 |" in text
    # Differences of 25 and 12.5 points: mean 18.75, standard error 6.25.
    assert "| flip | `flip true` | 68.8 | +18.8 ± 6.2 | 31.2 | -18.8 ± 6.2 | 1.50 | 2 |" in text
    assert "| l1 | `l1 3e-05` | diverged |" in text
    assert "200 training images, 100 validation images, 2 seeds" in text
    assert "larger than 12.7 standard errors" in text  # Student's t with one degree of freedom
    assert "in 6.0 hours" in text


def test_what_was_not_run_yet_is_named() -> None:
    runs = [finished("nothing", 0, [0.5]), finished("nothing", 1, [0.5]), finished("flip", 0, [0.5])]
    text = page(runs, {case: CASES[case] for case in ("nothing", "flip", "cutout")})
    assert "runs have been made yet of: flip, cutout." in text.replace("\n", " ") and "| cutout |" not in text


def test_the_page_is_that_of_the_published_runs() -> None:
    runs = read(Path("benchmarks/regularizers.jsonl"))
    assert Path("docs/regularizers.md").read_text(encoding="utf-8") == page(runs, CASES), "the page says how to make it"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    command = [sys.executable, "benchmarks/regularizers.py", "--dataset", "synthetic", "--epochs", "1"]
    command += ["--validation", "100", "--train-images", "200", "--results", str(path), "--limit-minutes", "0.05"]
    subprocess.run(command, check=True, timeout=400, capture_output=True)
    lines = path.read_text().splitlines(keepends=True)
    kept = lines[: len(lines) // 2]
    path.write_text("".join(kept) + lines[-1][:30])  # killed in the middle of a line
    subprocess.run(command, check=True, timeout=400, capture_output=True)
    assert path.read_text().startswith("".join(kept)) and len(read(path)) > len(kept)
    runs = read(path)
    assert len({(run["case"], run["seed"]) for run in runs}) == len(runs)
    assert all(len(run["val_accuracy"]) == 1 and run["stop_reason"] == "budget" for run in runs)
