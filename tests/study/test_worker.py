"""What a worker makes of a trainable: reports, ends, checkpoints, errors in one line, and clean processes."""

from __future__ import annotations

import math
import shutil
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.storage.server import S3Server, s3
from tuner.facts.records import Goal, State
from tuner.search.messages import Assignment, Message
from tuner.storage.copies import attach
from tuner.study.job import Job
from tuner.study.worker import Attempt, one_line

__all__ = ["s3"]

_made: list[Attempt] = []


def attempt_at(
    tmp_path: Path,
    body: str,
    *,
    number: int = 0,
    attempt: int = 1,
    after_epoch: int = 0,
    max_epochs: int | None = 9,
    place: str | None = None,
    further: tuple[str, ...] = (),
) -> Attempt:
    """Return an attempt at a trainable whose module holds ``body``, a function ``train`` among it."""
    name = f"mine_{abs(hash((tmp_path, body)))}"
    (tmp_path / f"{name}.py").write_text(dedent(body))
    job = Job(
        trainable=f"{name}:train",
        import_paths=(str(tmp_path),),
        data=None,
        prepared=None,
        metric="acc",
        goal=Goal.MAXIMIZE,
        max_epochs=max_epochs,
        place=place or str(tmp_path / "results"),
        cpus=1,
        gpus=0,
        further=further,
    )
    made = Attempt(job, Assignment(number, attempt, {"x": 0.5, "seed": 7}, after_epoch))
    _made.append(made)
    return made


def messages(attempt: Attempt) -> list[Message]:
    found = [attempt.step()]
    while found[-1].ended is None:
        found.append(attempt.step())
    return found


def test_reports_then_the_end(tmp_path: Path) -> None:
    said = messages(
        attempt_at(
            tmp_path,
            """
            def train(config):
                for epoch in range(3):
                    yield {"acc": config["x"] + epoch, "loss": 1.0}
            """,
        )
    )
    assert [message.report.epoch for message in said if message.report] == [1, 2, 3]
    assert [message.report.score for message in said if message.report] == [0.5, 1.5, 2.5]
    assert said[0].report is not None and said[0].report.metrics == {"loss": 1.0}
    assert said[0].started is not None and all(message.started is None for message in said[1:])
    assert said[-1].ended is not None and said[-1].ended.state is State.COMPLETED and said[-1].ended.clean


def test_the_budget_ends_a_trainable_that_would_go_on(tmp_path: Path) -> None:
    body = """
        def train(config):
            while True:
                yield {"acc": 1.0}
    """
    said = messages(attempt_at(tmp_path, body, max_epochs=4))
    assert len(said) == 4
    assert said[-1].ended is not None and said[-1].ended.stop_reason == "budget"


def test_a_returned_reason_is_told(tmp_path: Path) -> None:
    said = messages(attempt_at(tmp_path, "def train(config):\n    yield {'acc': 1.0}\n    return 'early_stop'\n"))
    assert said[-1].ended is not None and said[-1].ended.stop_reason == "early_stop"


@pytest.mark.parametrize("value", ["numpy.float32(0.25)", "torch.tensor(0.25)", "0.25"])
def test_scalars_of_numpy_and_torch_are_numbers(tmp_path: Path, value: str) -> None:
    module = value.partition(".")[0] if "(" in value else "math"
    said = attempt_at(tmp_path, f"import {module}\ndef train(config):\n    yield {{'acc': {value}}}\n").step()
    assert said.report is not None and said.report.score == 0.25


@pytest.mark.parametrize("value", ["float('nan')", "float('inf')", "-float('inf')", "10**400"])
def test_a_metric_that_is_not_finite_is_divergence(tmp_path: Path, value: str) -> None:
    said = attempt_at(tmp_path, f"def train(config):\n    yield {{'acc': {value}}}\n").step()
    assert said.report is None
    assert said.ended is not None and said.ended.state is State.DIVERGED and not said.ended.clean


def test_another_number_that_is_not_finite_is_null(tmp_path: Path) -> None:
    said = attempt_at(tmp_path, "def train(config):\n    yield {'acc': 1.0, 'loss': float('nan')}\n").step()
    assert said.report is not None and said.report.metrics == {"loss": None}


@pytest.mark.parametrize(
    ("reported", "sentence"),
    [
        ("{'loss': 1.0}", "did not report the metric 'acc'"),
        ("0.5", "yielded float, not a mapping"),
        ("{'acc': 'high'}", "reported 'acc', which is str, not a number"),
        ("{'acc': '0.5'}", "reported 'acc', which is str, not a number"),
        ("{'acc': None}", "reported 'acc', which is NoneType, not a number"),
        ("{'acc': 1.0, 'all': [1, 2]}", "reported 'all', which is list, not a number"),
    ],
)
def test_a_wrong_report_fails_the_trial_in_one_sentence(tmp_path: Path, reported: str, sentence: str) -> None:
    said = attempt_at(tmp_path, f"def train(config):\n    yield {reported}\n").step()
    assert said.ended is not None and said.ended.state is State.FAILED
    assert sentence in str(said.ended.error)


@pytest.mark.parametrize(
    ("reported", "state", "sentence"),
    [
        ("{'acc': 1.0}", State.FAILED, "did not report the metric 'f1'"),
        ("{'acc': 1.0, 'f1': float('nan')}", State.DIVERGED, "f1 is not a finite number"),
    ],
)
def test_every_metric_of_several_is_reported_and_finite(
    tmp_path: Path, reported: str, state: State, sentence: str
) -> None:
    said = attempt_at(tmp_path, f"def train(config):\n    yield {reported}\n", further=("f1",)).step()
    assert said.ended is not None and said.ended.state is state
    assert sentence in str(said.ended.error)


def test_an_exception_is_one_line_without_paths(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    body = (
        "def train(config):\n    yield {'acc': 1.0}\n    raise OSError('no such file: /home/me/data/x.png\\nreally')\n"
    )
    said = messages(attempt_at(tmp_path, body))
    assert said[-1].ended is not None and said[-1].ended.state is State.FAILED and not said[-1].ended.clean
    assert said[-1].ended.error == "OSError: no such file: x.png really"
    assert "Traceback" in capfd.readouterr().err  # in a worker: the trial's log


@pytest.mark.parametrize("error", ["SystemExit(3)", "KeyboardInterrupt()", "GeneratorExit()", "BaseException('x')"])
def test_nothing_that_a_trainable_raises_escapes(tmp_path: Path, error: str) -> None:
    said = attempt_at(tmp_path, f"def train(config):\n    yield {{'acc': 1.0}}\n    raise {error}\n")
    said.step()
    ended = said.step().ended
    assert ended is not None and ended.state is State.FAILED and ended.error is not None
    assert ended.error.startswith(error.partition("(")[0])


def test_an_error_while_closing_keeps_the_outcome(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    body = """
        def train(config):
            try:
                yield {"acc": 1.0}
            finally:
                raise SystemExit("no")
    """
    attempt = attempt_at(tmp_path, body)
    attempt.step()
    attempt.close()
    assert "SystemExit" in capfd.readouterr().err


def test_a_checkpoint_that_cannot_be_written_is_the_machines_failure(tmp_path: Path) -> None:
    attempt = attempt_at(tmp_path, COUNTING)
    assert attempt.step().report is not None
    (tmp_path / "results/checkpoints/0/a1-e2").write_text("in the way")
    said = attempt.step()
    assert said.report is None and said.ended is None
    assert said.storage_error is not None and said.storage_error.startswith("a checkpoint cannot be written: ")


def test_a_folder_that_cannot_be_made_is_the_machines_failure(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("in the way")
    said = attempt_at(tmp_path, COUNTING).step()
    assert said.storage_error is not None and "cannot be written" in said.storage_error


def test_out_of_memory_is_a_state_of_its_own(tmp_path: Path) -> None:
    said = attempt_at(tmp_path, "def train(config):\n    raise MemoryError\n    yield\n").step()
    assert said.ended is not None and said.ended.state is State.OUT_OF_MEMORY


def test_a_trainable_that_reports_nothing_has_failed(tmp_path: Path) -> None:
    said = attempt_at(tmp_path, "def train(config):\n    return\n    yield\n").step()
    assert said.ended is not None and said.ended.state is State.FAILED


def test_a_function_that_is_no_generator_has_failed(tmp_path: Path) -> None:
    said = attempt_at(tmp_path, "def train(config):\n    return {'acc': 1.0}\n").step()
    assert said.ended is not None and "must yield once an epoch" in str(said.ended.error)


def test_being_stopped_runs_finally(tmp_path: Path) -> None:
    body = f"""
        import pathlib
        def train(config):
            try:
                while True:
                    yield {{"acc": 1.0}}
            finally:
                pathlib.Path({str(tmp_path / "closed")!r}).touch()
    """
    attempt = attempt_at(tmp_path, body)
    attempt.step()
    attempt.close()
    assert (tmp_path / "closed").exists()


COUNTING = """
    def train(config, checkpoint):
        file = checkpoint / "epoch"
        assert file.exists() or not list(checkpoint.iterdir())
        start = int(file.read_text()) if file.exists() else 0
        for epoch in range(start + 1, 10):
            file.write_text(str(epoch))
            yield {"acc": float(epoch)}
"""


def test_an_attempt_continues_from_the_checkpoint_that_the_log_knows(tmp_path: Path) -> None:
    first = attempt_at(tmp_path, COUNTING)
    names = [first.step().report for _ in range(5)]
    assert [report.checkpoint for report in names if report] == [f"a1-e{epoch}" for epoch in range(1, 6)]
    # The driver died before epoch 5 was in the log: it is trained again, from the checkpoint of epoch 4.
    second = attempt_at(tmp_path, COUNTING, attempt=2, after_epoch=4)
    said = second.step()
    assert said.report is not None
    assert (said.report.epoch, said.report.score, said.report.checkpoint) == (5, 5.0, "a2-e5")


def test_an_attempt_on_another_node_continues_from_object_storage(s3: S3Server, tmp_path: Path) -> None:
    place = s3.address(tmp_path.name)
    first = attempt_at(tmp_path, COUNTING, place=place)
    names = [first.step().report for _ in range(3)]
    assert [report.checkpoint for report in names if report] == [f"a1-e{epoch}.tar" for epoch in range(1, 4)]
    shutil.rmtree(attach(place))  # the node is gone
    said = attempt_at(tmp_path, COUNTING, attempt=2, after_epoch=3, place=place).step()
    assert said.report is not None
    assert (said.report.epoch, said.report.score, said.report.checkpoint) == (4, 4.0, "a2-e4.tar")


def test_an_attempt_without_a_checkpoint_begins_anew(tmp_path: Path) -> None:
    body = "def train(config):\n    for epoch in range(1, 10):\n        yield {'acc': float(epoch)}\n"
    said = attempt_at(tmp_path, body, attempt=2, after_epoch=4).step()
    assert said.report is not None and said.report.epoch == 1


def test_a_process_that_was_not_needed_touches_nothing(tmp_path: Path) -> None:
    """Ray Tune may give a trial to a process that is free, and end the one it had started for it."""
    working = attempt_at(tmp_path, COUNTING)
    spare = attempt_at(tmp_path, COUNTING)
    working.step()
    spare.close()
    assert [working.step().report is not None for _ in range(3)] == [True] * 3


def test_two_checkpoints_are_kept_while_a_trial_lives(tmp_path: Path) -> None:
    attempt = attempt_at(tmp_path, COUNTING)
    for _ in range(6):
        attempt.step()
    attempt.close()
    assert sorted(path.name for path in (tmp_path / "results/checkpoints/0").iterdir()) == ["a1-e5", "a1-e6"]


def test_random_numbers_of_a_reused_process_depend_on_the_seed_alone(tmp_path: Path) -> None:
    body = """
        import random, numpy, torch
        def train(config):
            yield {"acc": random.random(), "n": numpy.random.rand(), "t": torch.rand(())}
    """
    first, second = attempt_at(tmp_path, body).step(), attempt_at(tmp_path, body, number=1).step()
    assert first.report is not None and second.report is not None
    assert (first.report.score, first.report.metrics) == (second.report.score, second.report.metrics)


def test_a_reused_process_has_fresh_settings(tmp_path: Path) -> None:
    spoil = """
        import torch
        def train(config):
            torch.set_default_dtype(torch.float64)
            torch.set_grad_enabled(False)
            torch.set_num_threads(2)
            yield {"acc": 1.0}
    """
    look = """
        import torch
        def train(config):
            assert torch.get_default_dtype() is torch.float32
            assert torch.is_grad_enabled()
            assert torch.get_num_threads() == 1
            yield {"acc": 1.0}
    """
    attempt_at(tmp_path, spoil).step()
    assert attempt_at(tmp_path, look).step().ended is None


def test_memory_of_an_earlier_trial_is_not_counted(tmp_path: Path) -> None:
    if not Path("/proc/self/clear_refs").exists():
        pytest.fail("this test needs Linux")
    large = "def train(config):\n    block = bytearray(300_000_000)\n    yield {'acc': float(len(block))}\n"
    small = "def train(config):\n    yield {'acc': 1.0}\n"
    first = attempt_at(tmp_path, large)
    before = first.step().report
    first.close()
    after = attempt_at(tmp_path, small).step().report
    assert before is not None and after is not None
    assert before.memory_mb is not None and after.memory_mb is not None
    assert before.memory_mb - after.memory_mb > 250


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("plain"), "ValueError: plain"),
        (KeyError("lr"), "KeyError: 'lr'"),
        (RuntimeError(""), "RuntimeError"),
        (OSError(2, "No such file", "/a b/c/d.txt"), "FileNotFoundError: [Errno 2] No such file: 'd.txt'"),
        (ValueError("a/b ratio is 3 / 4"), "ValueError: a/b ratio is 3 / 4"),
    ],
)
def test_one_line(error: Exception, line: str) -> None:
    assert one_line(error) == line


def test_long_errors_are_cut() -> None:
    assert len(one_line(ValueError("x" * 10_000))) == 500


def test_nothing_here_leaves_numbers_that_are_not_finite(tmp_path: Path) -> None:
    said: Any = attempt_at(tmp_path, "def train(config):\n    yield {'acc': 1, 'flag': True}\n").step()
    assert math.isfinite(said.report.score) and said.report.metrics == {"flag": 1.0}


@pytest.fixture(autouse=True)
def _import_path() -> Any:
    before = list(sys.path)
    yield
    while _made:
        _made.pop().close()  # prints go to the terminal again
    sys.path[:] = before
