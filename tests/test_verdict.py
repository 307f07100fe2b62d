"""The verdict on planted curves; tests/training/test_verdict.py has real ones."""

import math
import random

import pytest

from tuner.facts.verdict import CURVES, Fit, judge


def curves(epochs=30, *, train, val, accuracies=(0.97, 0.9), noise=0.0, seed=0):
    """Reports of a training whose losses are functions of the share of it that has passed."""
    draw = random.Random(seed)
    reports = []
    for epoch in range(epochs):
        losses = [loss(epoch / (epochs - 1)) + draw.gauss(0, noise) for loss in (train, val)]
        reports.append(dict(zip(CURVES, (*losses, *accuracies), strict=True)))
    return reports


def falling(share):
    return 0.2 + 2 * math.exp(-8 * share)


def steadily_falling(share):
    return 2 - share


def flat(share):
    return 2.3


def valley(share):
    """Falls to 0.8 until 0.3, then climbs to 1.2."""
    return 0.8 + 3 * (0.3 - share) if share < 0.3 else 0.8 + 0.4 * (share - 0.3) / 0.7


@pytest.mark.parametrize("epochs", [8, 30, 200])
def test_a_validation_loss_that_climbs_while_the_training_loss_falls_is_over_fitting(epochs):
    verdict = judge(curves(epochs, train=falling, val=valley, accuracies=(1.0, 0.7)))
    assert verdict.fit is Fit.OVERFITTING
    if epochs == 200:
        assert verdict.reason == (
            "the validation loss rose from 0.804 at epoch 62 to 1.2 in the last epochs, "
            "while the training loss fell from 0.372 to 0.201"
        )


def test_over_fitting_is_said_whatever_the_accuracies():
    assert judge(curves(train=falling, val=valley, accuracies=(0.6, 0.6))).fit is Fit.OVERFITTING


def test_a_large_gap_alone_is_not_over_fitting():
    verdict = judge(curves(train=falling, val=lambda share: falling(share) + 0.8, accuracies=(1.0, 0.7)))
    assert verdict.fit is Fit.FINE
    assert "30.0 points above" in verdict.reason


@pytest.mark.parametrize(
    ("val", "expected"),
    [
        (lambda share: 0.8 * (1 + 0.03 * share), Fit.FINE),
        (lambda share: 0.8 * (1 + 0.08 * share), Fit.OVERFITTING),
        (lambda share: 0.001 * (1 + 5 * share), Fit.FINE),  # six times its minimum, and yet nothing
    ],
)
def test_a_rise_must_be_worth_a_word(val, expected):
    assert judge(curves(train=falling, val=val)).fit is expected


def test_a_low_training_accuracy_while_both_losses_fall_is_under_fitting():
    verdict = judge(curves(train=steadily_falling, val=steadily_falling, accuracies=(0.5, 0.4)))
    assert verdict.fit is Fit.UNDERFITTING
    assert "more epochs would help" in verdict.reason
    assert judge(curves(train=steadily_falling, val=steadily_falling)).fit is Fit.FINE


def test_a_low_training_accuracy_that_validation_shares_is_under_fitting():
    verdict = judge(curves(train=flat, val=flat, accuracies=(0.12, 0.1)))
    assert verdict.fit is Fit.UNDERFITTING
    assert "hardly fall" in verdict.reason


def test_learning_by_heart_is_not_under_fitting():
    assert judge(curves(train=falling, val=flat, accuracies=(0.85, 0.6))).fit is Fit.FINE


def test_a_training_that_goes_wrong_is_neither():
    verdict = judge(curves(train=valley, val=valley))
    assert verdict.fit is Fit.UNDECIDED
    assert "did not fall" in verdict.reason


@pytest.mark.parametrize("noise", [0.02, 0.2])
def test_noise_is_no_trend(noise):
    fits = [judge(curves(60, train=falling, val=falling, noise=noise, seed=seed)).fit for seed in range(200)]
    assert fits.count(Fit.FINE) >= 190


def test_a_trend_is_seen_through_noise():
    fits = [judge(curves(60, train=steadily_falling, val=valley, noise=0.05, seed=seed)).fit for seed in range(50)]
    assert set(fits) == {Fit.OVERFITTING}


def test_few_epochs_decide_nothing():
    verdict = judge(curves(train=falling, val=valley)[:4])
    assert str(verdict) == "undecided: too few epochs to see a trend, 4 of at least 5"
    assert judge(curves(train=falling, val=valley, epochs=5)).fit is not Fit.UNDECIDED


@pytest.mark.parametrize("missing", [None, math.nan])
def test_without_all_four_curves_there_is_no_verdict(missing):
    reports = curves(train=falling, val=valley)
    assert judge([{**report, "train_loss": missing} for report in reports]) is None
    assert judge([{"score": 1.0}] * 10) is None


def test_sizes_play_no_part():
    reports = curves(train=falling, val=falling)
    assert judge([{**report, "parameter_count": 1e12} for report in reports]) == judge(reports)
