"""The verdict on real trainings; tests/test_verdict.py has every kind of curve."""

import pytest

from tests.training.helpers import digits, run, small
from tuner.facts.verdict import Fit, judge


@pytest.mark.parametrize(
    ("images", "config", "expected"),
    [
        (60, {"epochs": 40, "lr": 0.1, "batch_size": 20}, Fit.OVERFITTING),
        (300, {"epochs": 8, "lr": 1e-5}, Fit.UNDERFITTING),
        (1300, {"epochs": 8, "lr": 0.05}, Fit.FINE),
    ],
)
def test_digits(images, config, expected):
    reports, _ = run(small(optimizer="sgd", **config), digits(images))
    assert judge(reports).fit is expected
