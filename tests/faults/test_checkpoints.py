"""Checkpoints that are damaged while nobody runs the search: the trial goes on from an older one, or begins again."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tests.search.simulation import Simulation, parameter, space_of
from tests.storage.server import S3Server, s3
from tuner.facts.records import Decision, Goal
from tuner.journal.history import History
from tuner.journal.log import read_events
from tuner.space.domains import Real
from tuner.storage.copies import origin
from tuner.study.checkpoint_stores import store_of
from tuner.study.job import Job
from tuner.study.worker import Attempt

__all__ = ["s3"]

#: Writes down each epoch that it trains, outside of the results.
COUNTED = """
    import pathlib

    def train(config, checkpoint):
        state = checkpoint / "epoch"
        done = int(state.read_text()) if state.exists() else 0
        for epoch in range(done + 1, 10):
            state.write_text(str(epoch))
            with pathlib.Path(__file__).with_suffix(".trained").open("a") as file:
                file.write(f"{config['x']} {epoch}\\n")
            yield {"acc": 1.0 - (config["x"] - 0.3) ** 2 - 0.5 / epoch}
"""


@pytest.mark.parametrize("damaged", [1, 2], ids=["the newest", "all"])
@pytest.mark.parametrize("stored", [False, True], ids=["folder", "S3"])
def test_a_disturbed_search_comes_to_what_an_undisturbed_one_comes_to(
    tmp_path: Path, s3: S3Server, stored: bool, damaged: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """One slot, ledger and worker without Ray: the first trial is cut off when it has been judged at both rungs."""
    undisturbed = Worked(tmp_path, "undisturbed", str(tmp_path / "results/undisturbed"))
    undisturbed.run()
    place = s3.address(f"disturbed-{damaged}") if stored else str(tmp_path / "results/disturbed")
    disturbed = Worked(tmp_path, "disturbed", place)
    disturbed.run(until=(0, 4))
    store = store_of(disturbed.job.folder / "checkpoints")
    kept = store.of(0)
    assert [checkpoint.epoch for checkpoint in kept] == [3, 4]
    for checkpoint in kept[-damaged:]:
        flip_a_bit(disturbed.job.folder / "checkpoints/0" / store.file_name(checkpoint))
    with capsys.disabled():  # the trial's log takes what is printed
        disturbed.run()

    assert disturbed.account() == undisturbed.account()
    assert [rung.epoch for rung in disturbed.history().trials[0].rungs] == [1, 3]
    goes_on = "goes on after epoch 3" if damaged == 1 else "begins again"
    assert disturbed.printed(0).endswith(f": 'epoch' is damaged; the trial {goes_on}\n")
    assert [disturbed.trained(0).count(epoch) for epoch in (1, 3, 4, 9)] == [damaged, damaged, 2, 1]


class Worked:
    """A search whose trials are trained in this process, as a worker does it, and whose log is a ledger's."""

    def __init__(self, folder: Path, name: str, place: str) -> None:
        self._log = folder / name
        self._log.mkdir()
        module = f"counted_{name}_{abs(hash(str(folder)))}"
        self._module = folder / f"{module}.py"
        self._module.write_text(dedent(COUNTED))
        self.job = Job(
            trainable=f"{module}:train",
            import_paths=(str(folder),),
            data=None,
            prepared=None,
            metric="acc",
            goal=Goal.MAXIMIZE,
            max_epochs=9,
            place=place,
            cpus=1,
            gpus=0,
        )

    def run(self, until: tuple[int, int] | None = None) -> None:
        """Go on to the end, or until a trial has reported an epoch, where the driver is lost."""
        simulation = Simulation(self._log, trials=3, space=space_of(parameter("x", Real(0.0, 1.0))), scheduler="asha")
        ledger = simulation.ledger
        while (assignment := ledger.next_assignment()) is not None:
            attempt = Attempt(self.job, assignment)
            while ledger.receive(attempt.step()) is Decision.CONTINUE:
                if until == (assignment.number, ledger.history.trials[assignment.number].last_epoch):
                    attempt.close()
                    simulation.log.__exit__(None, None, None)
                    return
            attempt.close()
        ledger.close("trials")
        simulation.log.__exit__(None, None, None)

    def history(self) -> History:
        return History(read_events(self._log))

    def account(self) -> list[object]:
        """Return all that counts: what was proposed, reported, judged, and how it ended."""
        trials = self.history().trials.values()
        return [
            (
                trial.ask.config,
                [(epoch, report.score) for epoch, report in trial.epochs.items()],
                [(rung.epoch, rung.decision) for rung in trial.rungs],
                trial.state,
            )
            for trial in trials
        ]

    def printed(self, number: int) -> str:
        return (self.job.folder / f"logs/{number}.log").read_text()

    def trained(self, number: int) -> list[int]:
        x = self.history().trials[number].ask.config["x"]
        lines = self._module.with_suffix(".trained").read_text().splitlines()
        return [int(line.split()[1]) for line in lines if line.split()[0] == str(x)]


def flip_a_bit(path: Path) -> None:
    """Change the first byte of the file called epoch, in a folder or in a tar file on object storage."""
    if (found := origin(path)) is None:
        state = path / "epoch"
        state.write_bytes(flipped(state.read_bytes(), 0))
        return
    objects, name = found
    data = objects.get(name)
    assert data is not None
    at = data.index(b"epoch\0")
    at += 512 - at % 512  # the contents of a file follow its header
    objects.put(name, flipped(data, at))


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
