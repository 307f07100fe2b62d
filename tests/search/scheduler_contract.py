"""What every scheduler keeps: it follows from the log, names what it stops, and is fair to the best and to equals."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.search.simulation import EPOCHS, Killed, Simulation, scheduler_of
from tuner.facts.records import Decision, Goal, State
from tuner.facts.rungs import is_exempt
from tuner.journal.events import End, Epoch, Rung
from tuner.journal.history import History, Trial
from tuner.journal.log import read_events
from tuner.search.schedulers.scheduler import Scheduler
from tuner.space.algorithms import defaults_of


def report(scheduler: Scheduler, n: int, epoch: int, score: float) -> Decision | None:
    """Judge and hear a report as the ledger does."""
    decision = scheduler.judge(n, epoch, score)
    scheduler.observe(
        Epoch(
            at=0.0, n=n, attempt=1, epoch=epoch, score=score, metrics={}, seconds=0.0, memory_mb=None, checkpoint=None
        )
    )
    if decision is not None:
        scheduler.observe(Rung(at=0.0, n=n, attempt=1, epoch=epoch, value=score, decision=decision))
    return decision


def train(scheduler: Scheduler, n: int, curve: Callable[[int], float], epochs: int = EPOCHS) -> int:
    """Return how many epochs a trial came through."""
    for epoch in range(1, epochs + 1):
        if report(scheduler, n, epoch, curve(epoch)) is Decision.STOP:
            scheduler.observe(End(at=0.0, n=n, attempt=1, state=State.STOPPED, stop_reason=scheduler.name))
            return epoch
    scheduler.observe(End(at=0.0, n=n, attempt=1, state=State.COMPLETED, stop_reason="budget"))
    return epochs


class SchedulerContract:
    """Inherited by a test class for each scheduler.

    Attributes:
        name: Its name.
        stops: Whether it stops anything.
    """

    name: ClassVar[str]
    stops: ClassVar[bool] = True

    def fresh(self, goal: Goal = Goal.MAXIMIZE, **changes: Any) -> Scheduler:
        return scheduler_of(self.name, goal, **changes)

    def lengths(self, offsets: list[float], goal: Goal = Goal.MAXIMIZE, **changes: Any) -> list[int]:
        """Return the epochs of trials, one after the other, that rise with the epoch and differ by an offset."""
        scheduler = self.fresh(goal, **changes)
        sign = 1.0 if goal is Goal.MAXIMIZE else -1.0
        last: int = changes.get("max_epochs", EPOCHS)
        return [
            train(scheduler, n, lambda epoch, offset=offset: sign * (offset + 0.01 * epoch), last)  # type: ignore[misc]
            for n, offset in enumerate(offsets)
        ]

    def test_it_bears_its_name(self) -> None:
        assert self.fresh().name == self.name

    def test_the_first_trial_is_never_stopped(self) -> None:
        assert self.lengths([0.0]) == [EPOCHS]

    def test_a_trial_better_than_all_before_it_is_never_stopped(self) -> None:
        assert self.lengths([0.1 * n for n in range(40)]) == [EPOCHS] * 40

    def test_equals_go_on_together(self) -> None:
        assert self.lengths([0.5] * 40) == [EPOCHS] * 40

    def test_the_worst_is_stopped(self) -> None:
        lengths = self.lengths([-0.1 * n for n in range(40)])
        assert (min(lengths) < EPOCHS) is self.stops

    def test_a_loss_is_judged_downwards(self) -> None:
        chance = random.Random(0)
        offsets = [chance.random() for _ in range(60)]
        assert self.lengths(offsets, Goal.MINIMIZE) == self.lengths(offsets, Goal.MAXIMIZE)

    def test_nothing_is_stopped_before_the_grace_period_or_at_the_budget(self) -> None:
        chance = random.Random(0)
        lengths = self.lengths([chance.random() for _ in range(60)], grace_period=4)
        assert min(lengths) >= 4
        # Who reports the last epoch has completed.
        scheduler = self.fresh()
        for n in range(20):
            train(scheduler, n, lambda epoch: 1.0)
        assert scheduler.judge(99, EPOCHS, 0.0) is None

    def test_trials_that_it_stops_say_so(self, tmp_path: Path) -> None:
        ledger = Simulation(tmp_path, trials=40, slots=4, scheduler=self.name).run()
        ends = [trial.end for trial in ledger.history.trials.values()]
        reasons = {end.stop_reason for end in ends if end is not None and end.state is State.STOPPED}
        assert reasons == ({self.name} if self.stops else set())

    @pytest.mark.parametrize("slots", [1, 8])
    @pytest.mark.parametrize("exempt", [0.0, 0.4])
    @pytest.mark.parametrize("least", [0.0, 0.6])
    def test_decisions_are_a_function_of_the_log_before_them(
        self, tmp_path: Path, slots: int, exempt: float, least: float
    ) -> None:
        applies = defaults_of("scheduler", self.name).keys()
        changes = {
            name: value for name, value in {"exempt": exempt, "min_correlation": least}.items() if name in applies
        }
        Simulation(tmp_path, trials=40, slots=slots, scheduler=self.name, scheduling=changes).run()
        fresh = self.fresh(**changes)
        expected: dict[tuple[int, int], Decision] = {}
        written: dict[tuple[int, int], Decision] = {}
        for event in read_events(tmp_path):
            if isinstance(event, Epoch):
                decision = fresh.judge(event.n, event.epoch, event.score)
                if decision is not None:
                    expected[event.n, event.epoch] = decision
            elif isinstance(event, Rung):
                written[event.n, event.epoch] = event.decision
            fresh.observe(event)
        assert written == expected
        assert bool(written) is self.stops

    @pytest.mark.parametrize("exempt", [0.0, 0.4])
    def test_killed_and_resumed_it_decides_the_same(self, tmp_path: Path, exempt: float) -> None:
        options = {"trials": 40, "scheduler": self.name, "algorithm": "random", "scheduling": {"exempt": exempt}}
        straight, broken = tmp_path / "straight", tmp_path / "broken"
        straight.mkdir()
        broken.mkdir()
        Simulation(straight, **options).run()
        chance = random.Random(2)
        kills = 0
        while True:
            try:
                Simulation(broken, **options).run(die_after=chance.randrange(3, 30))
                break
            except Killed:
                kills += 1
        assert kills >= 3
        a, b = History(read_events(straight)), History(read_events(broken))
        assert [(trial.state, trial.last_epoch) for trial in a.trials.values()] == [
            (trial.state, trial.last_epoch) for trial in b.trials.values()
        ]

    def test_a_stop_whose_end_was_lost_is_ended_on_resume_with_its_reason(self, tmp_path: Path) -> None:
        if not self.stops:
            return
        Simulation(tmp_path, trials=40, slots=4, scheduler=self.name).run()
        lines = (tmp_path / "events.jsonl").read_bytes().splitlines(keepends=True)
        stop = next(index for index, line in enumerate(lines) if b'"decision":"stop"' in line)
        (tmp_path / "events.jsonl").write_bytes(b"".join(lines[: stop + 1]))
        number = read_events(tmp_path)[stop].n
        assert number is not None
        end = Simulation(tmp_path, trials=40, slots=4, scheduler=self.name).ledger.history.trials[number].end
        assert end is not None and (end.state, end.stop_reason) == (State.STOPPED, self.name)

    def test_exempt_trials_run_to_their_end_and_the_others_as_if_there_were_none(self, tmp_path: Path) -> None:
        trials: dict[float, dict[int, Trial]] = {}
        for share in (0.0, 0.4):
            folder = tmp_path / str(share)
            folder.mkdir()
            simulation = Simulation(
                folder, trials=60, scheduler=self.name, algorithm="random", scheduling={"exempt": share}
            )
            trials[share] = simulation.run().history.trials
        exempt = {n for n in range(60) if is_exempt(n, 0.4)}
        for n, trial in trials[0.4].items():
            without = trials[0.0][n]
            if n not in exempt:
                assert [*trial.epochs] == [*without.epochs] and trial.state is without.state
            elif without.state is State.STOPPED:
                assert trial.state is State.COMPLETED and trial.last_epoch == EPOCHS
                assert trial.rungs[-1].decision is Decision.EXEMPT  # the log tells where it would have been stopped
                assert trial.rungs[-1].epoch == without.last_epoch
        let_off = [n for n in exempt if trials[0.0][n].state is State.STOPPED]
        assert bool(let_off) is self.stops
