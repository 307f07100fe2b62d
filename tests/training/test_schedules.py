from collections.abc import Mapping
from typing import ClassVar

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from tuner.hyperparameters.schedule import Schedule as Settings
from tuner.training.schedules import SCHEDULES, Schedule


def make(settings, epochs, steps_per_epoch, lr=0.1):
    weights, biases = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([{"params": [weights]}, {"params": [biases]}], lr=lr)
    return optimizer, Schedule(optimizer, settings, epochs, steps_per_epoch)


def rates(settings, epochs, steps_per_epoch, lr=0.1):
    """The learning rate that each step uses."""
    optimizer, schedule = make(settings, epochs, steps_per_epoch, lr)
    used = []
    for _ in range(epochs * steps_per_epoch):
        used.append(schedule.lr)
        assert len({group["lr"] for group in optimizer.param_groups}) == 1
        optimizer.step()
        schedule.step()
    return used


class ScheduleContract:
    """What every schedule promises; a new one inherits this with its name."""

    name: str
    settings: ClassVar[Mapping[str, object]] = {}
    warmup = True

    def of(self, **settings):
        return Settings(schedule=self.name, **{**self.settings, **settings})

    def test_never_exceeds_lr(self):
        assert all(0 <= rate <= 0.1 + 1e-12 for rate in rates(self.of(), 20, 3))

    @pytest.mark.parametrize(("epochs", "steps"), [(1, 1), (1, 2), (2, 1), (3, 1), (10, 1), (1, 10)])
    def test_takes_any_budget(self, epochs, steps):
        assert len(rates(self.of(), epochs, steps)) == epochs * steps

    def test_changes_between_epochs_unless_it_is_stepped_per_batch(self):
        used = torch.tensor(rates(self.of(), 8, 5)).view(8, 5)
        assert (used == used[:, :1]).all() == (not SCHEDULES[self.name].per_batch)

    @pytest.mark.parametrize("at", [1, 7, 12, 20])
    def test_continues_from_its_state(self, at):
        settings = self.of(warmup_epochs=2 if self.warmup else 0)
        optimizer, schedule = make(settings, 8, 3)
        other_optimizer, other = make(settings, 8, 3)
        for step in range(24):
            if step == at:
                other_optimizer.load_state_dict(optimizer.state_dict())
                other.load_state_dict(schedule.state_dict())
            if step >= at:
                assert other.lr == schedule.lr
                other_optimizer.step()
                other.step()
            optimizer.step()
            schedule.step()

    def test_warms_up_linearly_and_then_stretches_over_what_is_left(self):
        if not self.warmup:
            return
        used = rates(self.of(warmup_epochs=3), 12, 4)
        assert used[:12] == pytest.approx([0.1 * (batch + 1) / 12 for batch in range(12)])
        assert used[12:] == pytest.approx(rates(self.of(), 9, 4))

    def test_a_warmup_longer_than_the_budget_only_rises(self):
        if self.warmup:
            assert rates(self.of(warmup_epochs=6), 3, 2) == pytest.approx([0.1 * (n + 1) / 12 for n in range(6)])


class TestConstant(ScheduleContract):
    name = "constant"

    def test_stays(self):
        assert set(rates(self.of(), 30, 2)) == {0.1}


class TestCosine(ScheduleContract):
    name = "cosine"
    settings: ClassVar = {"eta_min": 1e-3}

    def test_is_half_a_cosine_over_the_epochs(self):
        epoch = torch.arange(30, dtype=torch.float64)
        expected = 1e-3 + (0.1 - 1e-3) * (1 + torch.cos(torch.pi * epoch / 30)) / 2
        assert rates(self.of(), 30, 2)[::2] == pytest.approx(expected.tolist())


class TestStep(ScheduleContract):
    name = "step"
    settings: ClassVar = {"step_size": 2, "gamma": 0.5}

    def test_drops_after_each_step_size(self):
        used = rates(self.of(step_size=30, gamma=0.1), 91, 1)
        assert [used[epoch] for epoch in (0, 29, 30, 59, 60, 90)] == pytest.approx([0.1, 0.1, 0.01, 0.01, 1e-3, 1e-4])


class TestOnecycle(ScheduleContract):
    name = "onecycle"
    warmup = False

    def test_is_torchs_without_its_momentum(self):
        settings = self.of(pct_start=0.25, div_factor=10.0, final_div_factor=100.0)
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.8)
        torchs = OneCycleLR(
            optimizer,
            0.1,
            total_steps=40,
            pct_start=0.25,
            div_factor=10.0,
            final_div_factor=100.0,
            cycle_momentum=False,
        )
        expected = []
        for _ in range(40):
            expected.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            torchs.step()
        used = rates(settings, 8, 5)
        assert used == pytest.approx(expected)
        assert (used[0], used[9], used[-1]) == pytest.approx((0.01, 0.1, 1e-4))

    @pytest.mark.parametrize("pct_start", [0.1, 0.5, 0.001, 0.999])
    def test_a_rise_of_no_time_is_no_error(self, pct_start):
        for steps in range(1, 12):
            used = rates(self.of(pct_start=pct_start), 1, steps)
            assert all(0 < rate <= 0.1 + 1e-12 for rate in used)


def test_every_schedule_has_a_contract_test():
    assert {contract.name for contract in ScheduleContract.__subclasses__()} == set(SCHEDULES)
