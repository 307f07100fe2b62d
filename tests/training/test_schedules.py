import io
import warnings
from collections.abc import Callable, Mapping
from typing import ClassVar

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from tuner.facts.errors import UsageError
from tuner.hyperparameters.table import FIELDS, resolve
from tuner.training.learning_rate import Schedule
from tuner.training.schedules import SCHEDULES


def make(settings, epochs, steps_per_epoch, lr=0.1):
    weights, biases = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([{"params": [weights]}, {"params": [biases], "lr": lr / 10}], lr=lr, momentum=0.8)
    return optimizer, Schedule(optimizer, settings, epochs, steps_per_epoch)


def losses(epochs):
    """Falls ever less, so that plateau has something to do."""
    return [0.4 + 0.6 * 0.7**epoch for epoch in range(epochs)]


def walk(optimizer, schedule, epochs, steps_per_epoch, start=0):
    """Drive a schedule as the loop does, and yield before each step."""
    for epoch, loss in list(enumerate(losses(epochs)))[start:]:
        for _ in range(steps_per_epoch):
            yield epoch
            optimizer.step()
            schedule.step()
        schedule.finish_epoch(loss)


def rates(settings, epochs, steps_per_epoch, lr=0.1):
    """The learning rate that each step uses."""
    optimizer, schedule = make(settings, epochs, steps_per_epoch, lr)
    used = []
    for _ in walk(optimizer, schedule, epochs, steps_per_epoch):
        first, second = (group["lr"] for group in optimizer.param_groups)
        assert first == schedule.lr and second == pytest.approx(first / 10)
        used.append(schedule.lr)
    assert {group["momentum"] for group in optimizer.param_groups} == {0.8}
    return used


def torchs(build, steps, metrics=None, lr=0.1):
    """What PyTorch's scheduler gives an ordinary optimizer, step by step."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = build(optimizer)
    used = []
    for step in range(steps):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(*([] if metrics is None else [metrics[step]]))
    return used


class ScheduleContract:
    """What every schedule promises; a new one inherits this with its name.

    ``torch_scheduler`` makes PyTorch's own with ``settings`` for 50 epochs of one step.
    """

    name: str
    torch_scheduler: Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]
    settings: ClassVar[Mapping[str, object]] = {}
    warmup = True
    hears_the_loss = False

    def of(self, **settings):
        config = resolve({"schedule": self.name, **self.settings, **settings})
        return config.schedule

    def test_is_torchs(self):
        expected = torchs(type(self).torch_scheduler, 50, losses(50) if self.hears_the_loss else None)
        assert rates(self.of(), 50, 1) == pytest.approx(expected, rel=1e-12, abs=1e-15)
        assert self.name == "constant" or len(set(expected)) > 2

    def test_never_exceeds_lr(self):
        assert all(0 <= rate <= 0.1 + 1e-12 for rate in rates(self.of(), 20, 3))

    @pytest.mark.parametrize(("epochs", "steps"), [(1, 1), (1, 2), (2, 1), (3, 1), (10, 1), (1, 10)])
    def test_takes_any_budget_by_its_defaults(self, epochs, steps):
        settings = resolve({"schedule": self.name}).schedule
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(rates(settings, epochs, steps)) == epochs * steps

    def test_changes_between_epochs_unless_it_is_stepped_per_batch(self):
        used = torch.tensor(rates(self.of(), 8, 5)).view(8, 5)
        assert (used == used[:, :1]).all() == (not SCHEDULES[self.name].per_batch)

    @pytest.mark.parametrize("at", [1, 2, 5, 7])
    def test_continues_from_its_state(self, at):
        settings = self.of(**({"warmup_epochs": 2} if self.warmup else {}))
        optimizer, schedule = make(settings, 8, 3)
        straight = [(schedule.lr, saved(optimizer, schedule)) for _ in walk(optimizer, schedule, 8, 3)]
        optimizer, schedule = make(settings, 8, 3)
        of_optimizer, of_schedule = torch.load(straight[3 * at][1], weights_only=True)
        optimizer.load_state_dict(of_optimizer)
        schedule.load_state_dict(of_schedule)
        resumed = [(schedule.lr, optimizer.param_groups[1]["lr"]) for _ in walk(optimizer, schedule, 8, 3, start=at)]
        assert [lr for lr, _ in resumed] == [lr for lr, _ in straight[3 * at :]]
        assert [lr for _, lr in resumed] == pytest.approx([lr / 10 for lr, _ in resumed])

    def test_warms_up_linearly_and_then_goes_on_as_without(self):
        if not self.warmup:
            return
        after = rates(self.of(), 9, 4)
        heard = losses(12)[3:]
        if self.hears_the_loss:
            after = [lr for lr in torchs(type(self).torch_scheduler, 9, heard) for _ in range(4)]
        used = rates(self.of(warmup_epochs=3), 12, 4)
        assert used[:12] == pytest.approx([after[0] * (batch + 1) / 12 for batch in range(12)])
        assert used[12:] == pytest.approx(after)

    def test_a_warmup_longer_than_the_budget_only_rises(self):
        if self.warmup:
            used = rates(self.of(warmup_epochs=6), 3, 2)
            assert used == pytest.approx([used[0] * (n + 1) for n in range(6)])

    def test_fills_rates_that_are_tensors(self):
        lr = torch.tensor(0.1, dtype=torch.float64)
        optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=lr, fused=True)
        schedule = Schedule(optimizer, self.of(), 8, 5)
        used = [optimizer.param_groups[0]["lr"].item() for _ in walk(optimizer, schedule, 8, 5)]
        assert optimizer.param_groups[0]["lr"] is lr
        assert used == pytest.approx(rates(self.of(), 8, 5))


def saved(optimizer, schedule):
    file = io.BytesIO()
    torch.save((optimizer.state_dict(), schedule.state_dict()), file)
    file.seek(0)
    return file


class TestConstant(ScheduleContract):
    name = "constant"

    def torch_scheduler(optimizer):
        return lr_scheduler.LambdaLR(optimizer, lambda epoch: 1.0)

    def test_stays(self):
        assert set(rates(self.of(), 30, 2)) == {0.1}


class TestStep(ScheduleContract):
    name = "step"
    settings: ClassVar = {"step_size": 2, "gamma": 0.5}

    def torch_scheduler(optimizer):
        return lr_scheduler.StepLR(optimizer, 2, 0.5)

    def test_drops_after_each_step_size(self):
        used = rates(self.of(step_size=30, gamma=0.1), 91, 1)
        assert [used[epoch] for epoch in (0, 29, 30, 59, 60, 90)] == pytest.approx([0.1, 0.1, 0.01, 0.01, 1e-3, 1e-4])


class TestMultistep(ScheduleContract):
    name = "multistep"
    settings: ClassVar = {"milestones": [3, 4, 7], "gamma": 0.5}

    def torch_scheduler(optimizer):
        return lr_scheduler.MultiStepLR(optimizer, [3, 4, 7], 0.5)

    def test_drops_at_the_milestone_exactly(self):
        used = rates(self.of(milestones=[30, 80], gamma=0.1), 100, 1)
        assert [used[epoch] for epoch in (29, 30, 79, 80, 99)] == pytest.approx([0.1, 0.01, 0.01, 1e-3, 1e-3])

    def test_milestones_beyond_the_budget_never_come(self):
        assert set(rates(self.of(milestones=[100]), 20, 1)) == {0.1}

    def test_by_default_drops_at_half_and_three_quarters_of_what_is_left_after_the_warmup(self):
        used = rates(resolve({"schedule": "multistep", "warmup_epochs": 4}).schedule, 44, 1)
        assert [used[epoch] for epoch in (4, 23, 24, 33, 34, 43)] == pytest.approx([0.1, 0.1, 0.01, 0.01, 1e-3, 1e-3])


class TestExponential(ScheduleContract):
    name = "exponential"
    settings: ClassVar = {"gamma": 0.9}

    def torch_scheduler(optimizer):
        return lr_scheduler.ExponentialLR(optimizer, 0.9)

    def test_is_a_power_of_gamma(self):
        assert rates(self.of(), 101, 1)[100] == pytest.approx(0.1 * 0.9**100)
        assert rates(self.of(), 101, 1)[100] == pytest.approx(2.66e-6, abs=5e-9)


class TestCyclic(ScheduleContract):
    name = "cyclic"
    warmup = False
    settings: ClassVar = {
        "base_lr": 0.02,
        "step_size_up": 4,
        "step_size_down": 6,
        "cyclic_mode": "exp_range",
        "gamma": 0.97,
    }

    def torch_scheduler(optimizer):
        return lr_scheduler.CyclicLR(optimizer, 0.02, 0.1, 4, 6, mode="exp_range", gamma=0.97, cycle_momentum=False)

    @pytest.mark.parametrize(
        ("mode", "shrink"),
        [
            ("triangular", lambda t, cycle: 1.0),
            ("triangular2", lambda t, cycle: 2.0 ** -(cycle - 1)),
            ("exp_range", lambda t, cycle: 0.97**t),
        ],
    )
    def test_is_the_formula_of_the_paper(self, mode, shrink):
        gamma = {"gamma": 0.97} if mode == "exp_range" else {}
        base = {"schedule": "cyclic", "base_lr": 0.02, "step_size_up": 5, "cyclic_mode": mode}
        expected = []
        for t in range(60):
            cycle = 1 + t // 10
            x = abs(t / 5 - 2 * cycle + 1)
            expected.append(0.02 + (0.1 - 0.02) * max(0.0, 1 - x) * shrink(t, cycle))
        assert rates(resolve({**base, **gamma}).schedule, 6, 10) == pytest.approx(expected)

    def test_by_default_begins_at_a_quarter(self):
        used = rates(resolve({"schedule": "cyclic", "step_size_up": 3}).schedule, 1, 7)
        assert used == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.075, 0.05, 0.025])


class TestCosine(ScheduleContract):
    name = "cosine"
    settings: ClassVar = {"eta_min": 1e-3}

    def torch_scheduler(optimizer):
        return lr_scheduler.CosineAnnealingLR(optimizer, 50, 1e-3)

    def test_is_half_a_cosine_over_the_epochs(self):
        epoch = torch.arange(30, dtype=torch.float64)
        expected = 1e-3 + (0.1 - 1e-3) * (1 + torch.cos(torch.pi * epoch / 30)) / 2
        assert rates(self.of(), 30, 2)[::2] == pytest.approx(expected.tolist())


class TestCosineRestarts(ScheduleContract):
    name = "cosine_restarts"
    settings: ClassVar = {"T_0": 3, "T_mult": 2, "eta_min": 1e-3}

    def torch_scheduler(optimizer):
        return lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 3, 2, 1e-3)

    def test_peaks_where_each_cosine_begins(self):
        used = rates(self.of(T_0=10, T_mult=2, eta_min=1e-4), 100, 1)
        assert [epoch for epoch, lr in enumerate(used) if lr == pytest.approx(0.1)] == [0, 10, 30, 70]
        assert used[5] == pytest.approx(0.05005)


class TestOnecycle(ScheduleContract):
    name = "onecycle"
    warmup = False
    settings: ClassVar = {"pct_start": 0.25, "div_factor": 10.0, "final_div_factor": 100.0}

    def torch_scheduler(optimizer):
        return lr_scheduler.OneCycleLR(
            optimizer,
            0.1,
            total_steps=50,
            pct_start=0.25,
            div_factor=10.0,
            final_div_factor=100.0,
            cycle_momentum=False,
        )

    def test_stretches_over_all_batches(self):
        used = rates(self.of(), 8, 5)
        assert (used[0], used[9], used[-1]) == pytest.approx((0.01, 0.1, 1e-4))
        straight = rates(self.of(anneal_strategy="linear"), 8, 5)
        assert straight[3] == pytest.approx(0.01 + 0.09 * 3 / 9)

    @pytest.mark.parametrize("pct_start", [0.1, 0.5, 0.001, 0.999])
    def test_a_rise_of_no_time_is_no_error(self, pct_start):
        for steps in range(1, 12):
            used = rates(self.of(pct_start=pct_start), 1, steps)
            assert all(0 < rate <= 0.1 + 1e-12 for rate in used)


class TestLinear(ScheduleContract):
    name = "linear"
    settings: ClassVar = {"start_factor": 0.25, "end_factor": 0.75, "total_iters": 6}

    def torch_scheduler(optimizer):
        return lr_scheduler.LinearLR(optimizer, 0.25, 0.75, 6)

    def test_by_default_falls_to_nothing_over_the_epochs(self):
        used = rates(resolve({"schedule": "linear"}).schedule, 10, 2)
        assert used[::2] == pytest.approx([0.1 * (1 - epoch / 10) for epoch in range(10)])


class TestPlateau(ScheduleContract):
    name = "plateau"
    hears_the_loss = True
    settings: ClassVar = {"factor": 0.5, "patience": 2, "threshold": 0.01, "cooldown": 1, "min_lr": 0.01}

    def torch_scheduler(optimizer):
        return lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=0.5, patience=2, threshold=0.01, cooldown=1, min_lr=0.01
        )

    def test_drops_after_one_miss_more_than_it_bears(self):
        optimizer, schedule = make(self.of(cooldown=0), 9, 1)
        used = []
        for loss in [0.8, 0.6, 0.4, 0.4, 0.5, 0.399, 0.4, 0.4, 0.4]:  # 0.399 is no better by the threshold
            used.append(schedule.lr)
            optimizer.step()
            schedule.step()
            schedule.finish_epoch(loss)
        assert used == pytest.approx([0.1] * 6 + [0.05] * 3)
        assert schedule.lr == pytest.approx(0.025)

    def test_never_goes_below_its_floor(self):
        assert rates(self.of(patience=0, cooldown=0), 30, 1)[-1] == pytest.approx(0.01)

    def test_stays_while_the_loss_falls(self):
        optimizer, schedule = make(self.of(patience=0), 20, 1)
        for epoch in range(20):
            optimizer.step()
            schedule.step()
            schedule.finish_epoch(0.9**epoch)
        assert schedule.lr == 0.1


def test_every_schedule_has_a_contract_test():
    assert {contract.name for contract in ScheduleContract.__subclasses__()} == set(SCHEDULES)


def test_every_schedule_can_be_chosen():
    assert set(FIELDS["schedule"].choices) == set(SCHEDULES)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"schedule": "cosine", "eta_min": 0.2}, "eta_min must be at most lr"),
        ({"schedule": "cyclic", "base_lr": 0.2}, "base_lr must be at most lr"),
        ({"schedule": "plateau", "min_lr": 0.2}, "min_lr must be at most lr"),
        ({"schedule": "cyclic", "gamma": 0.9}, "a gamma other than 1 needs cyclic_mode exp_range"),
        ({"schedule": "multistep", "milestones": [20, 10]}, "a list of increasing integers"),
        ({"schedule": "onecycle", "warmup_epochs": 3}, "warmup_epochs applies only where schedule is"),
    ],
)
def test_what_excludes_each_other_is_named(config, says):
    with pytest.raises(UsageError, match=says):
        resolve({"lr": 0.1, **config})


def test_gamma_has_the_default_of_its_schedule():
    defaults = {name: resolve({"schedule": name}).schedule.gamma for name in ("step", "multistep", "exponential")}
    assert defaults == {"step": 0.1, "multistep": 0.1, "exponential": 0.95}
    assert resolve({"schedule": "cyclic"}).schedule.gamma == 1.0
    assert resolve({"schedule": "cyclic", "cyclic_mode": "exp_range"}).schedule.gamma == 0.9999
