"""How many trials fit, and that a trial sees the GPUs it asked for and no others."""

from __future__ import annotations

import os

import pytest
import ray

from tuner.facts.errors import UsageError
from tuner.space.searchfile import Resources
from tuner.study.resources import Machine, local_ray, slots


def wanted(cpus: float = 1, gpus: float = 0, most: int | None = None) -> Resources:
    return Resources(cpus_per_trial=cpus, gpus_per_trial=gpus, max_concurrent=most, reuse_workers=True)


@pytest.mark.parametrize(
    ("machines", "resources", "fitting"),
    [
        ([Machine(2, 0)], wanted(), 2),
        ([Machine(8, 0)], wanted(cpus=3), 2),
        ([Machine(2, 0)], wanted(cpus=0.5), 4),
        ([Machine(16, 2)], wanted(gpus=1), 2),
        ([Machine(16, 2)], wanted(gpus=0.5), 4),
        ([Machine(16, 2)], wanted(gpus=0.4), 4),  # a share lies on one GPU
        ([Machine(16, 4)], wanted(gpus=2), 2),
        ([Machine(1, 2)], wanted(gpus=0.5), 1),  # the CPUs bound it
        ([Machine(2, 0), Machine(16, 1)], wanted(gpus=1), 1),
        ([Machine(2, 0), Machine(3, 0)], wanted(cpus=2), 2),
        ([Machine(64, 0)], wanted(most=3), 3),
    ],
)
def test_slots(machines: list[Machine], resources: Resources, fitting: int) -> None:
    assert slots(tuple(machines), resources) == fitting


@pytest.mark.parametrize(
    ("machines", "resources", "sentence"),
    [
        ([Machine(8, 0)], wanted(gpus=1), "there is no GPU"),
        ([Machine(8, 0), Machine(8, 0)], wanted(gpus=1), "no node of the cluster has a GPU"),
        ([Machine(8, 1)], wanted(gpus=2), "no machine has more than 1"),
        ([Machine(2, 0), Machine(2, 0)], wanted(cpus=3), "no machine has more than 2"),
        ([Machine(8, 0), Machine(1, 1)], wanted(cpus=2, gpus=1), "no machine has 2 CPUs and 1 GPUs together"),
    ],
)
def test_what_no_machine_has_is_an_error(machines: list[Machine], resources: Resources, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        slots(tuple(machines), resources)


@pytest.mark.slow
def test_a_trial_sees_the_gpus_that_it_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that claims two GPUs; what Ray lets a process see needs no real one."""
    start = ray.init
    monkeypatch.setattr(ray, "init", lambda **options: start(num_gpus=2, **options))

    @ray.remote
    def visible() -> str | None:
        return os.environ.get("CUDA_VISIBLE_DEVICES")

    with local_ray() as machines:
        assert sum(machine.gpus for machine in machines) == 2
        assert ray.get(visible.remote()) == ""
        assert ray.get(visible.options(num_gpus=1).remote()) in ("0", "1")
        assert ray.get(visible.options(num_gpus=0.5).remote()) in ("0", "1")
