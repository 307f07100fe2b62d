import pytest
import torch
from torch import nn

from tuner.facts.records import Goal
from tuner.hyperparameters.stability import Stability
from tuner.training.early_stopping import BestWeights, EarlyStopping


def make(metric="val_loss", patience=2, min_delta=0.0):
    return EarlyStopping(
        Stability(early_stop_metric=metric, early_stop_patience=patience, early_stop_min_delta=min_delta)
    )


def epochs_until_stop(stopping, metric, values):
    for epoch, value in enumerate(values, 1):
        stopping.update({metric: value})
        if stopping.stopped:
            return epoch
    return None


@pytest.mark.parametrize(
    ("metric", "min_delta", "values", "stops_at"),
    [
        ("val_loss", 0.0, [3, 2, 2, 2, 1], 4),
        ("val_loss", 0.0, [3, 4, 2, 3, 1, 2, 2], 7),
        ("val_loss", 0.5, [3, 2.75, 2.5, 1], 3),
        ("val_loss", 0.5, [3, 2.75, 2.25, 1.5], None),
        ("val_accuracy", 0.0, [0.1, 0.1, 0.2, 0.2, 0.2], 5),
        ("val_accuracy", 0.25, [0.0, 0.25, 0.5], None),
        ("val_accuracy", 0.25, [0.0, 0.25, 0.25], 3),
    ],
)
def test_patience_consecutive_misses_stop(metric, min_delta, values, stops_at):
    assert epochs_until_stop(make(metric, min_delta=min_delta), metric, values) == stops_at


def test_without_patience_it_never_stops():
    assert epochs_until_stop(make(patience=None), "val_loss", [1.0] * 100) is None


def test_counters_come_back():
    one, other = make(), make()
    one.update({"val_loss": 1.0})
    one.update({"val_loss": 1.5})
    other.load_state_dict(one.state_dict())
    other.update({"val_loss": 1.0})
    assert other.stopped


def test_best_weights_are_those_of_the_first_best_epoch():
    model = nn.Linear(1, 1, bias=False)
    best = BestWeights(Goal.MAXIMIZE)
    for epoch, score in enumerate([0.5, 0.75, 0.75, 0.25], 1):
        with torch.no_grad():
            model.weight.fill_(epoch)
        best.update(epoch, score, model)
    state = best.state_dict()
    assert state["epoch"] == 2
    assert state["weights"]["weight"].item() == 2


def test_without_a_score_the_last_epoch_is_the_best():
    model = nn.Linear(1, 1)
    best = BestWeights(Goal.MAXIMIZE)
    for epoch in (1, 2):
        best.update(epoch, None, model)
    assert best.state_dict()["epoch"] == 2
