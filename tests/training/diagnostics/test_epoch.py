import json

import torch

from tests.training.helpers import digits, run, small, without_validation
from tuner.training import normalization
from tuner.training.data import TrainingData
from tuner.training.diagnostics.epoch import Diagnostics
from tuner.training.observed import Observed


class Keeper:
    """What a listener does: asks for the diagnostics of each epoch and keeps them."""

    def __init__(self, hyperparameters, data: TrainingData):
        self.diagnostics = Diagnostics(data, normalization.build(hyperparameters.input, data))
        self.rows = []

    def __call__(self, observed: Observed):
        found = self.diagnostics(observed)
        assert found.grad_norms == observed.grad_norms
        self.rows.append(json.loads(json.dumps(found.as_json(), allow_nan=False)))


def test_an_epoch_layer_by_layer():
    hyperparameters = small(epochs=2, clip_grad_norm=1.0)
    keeper = Keeper(hyperparameters, digits(300))
    run(hyperparameters, digits(300), observe=keeper)
    first, second = keeper.rows
    weights = [name for name in first["grad_norms"] if name.endswith("weight")]
    assert list(first["weights"]) == weights
    assert len(first["activations"]) == 3
    assert all(norm > 0 for norm in first["grad_norms"].values())
    assert first["weights"][weights[0]]["l2"] != second["weights"][weights[0]]["l2"]
    assert len(first["weights"][weights[0]]["edges"]) == len(first["weights"][weights[0]]["counts"]) + 1
    assert first["dropout_rates"] == {}


def test_looking_changes_nothing(tmp_path):
    hyperparameters, data = small(dropout=0.3, model="resnet9", width=2, mixup_alpha=0.4), digits(150)
    alone = run(hyperparameters, data, checkpoint=tmp_path / "alone")
    looked_at = run(hyperparameters, data, checkpoint=tmp_path / "looked at", observe=Keeper(hyperparameters, data))
    assert alone == looked_at
    states = [torch.load(tmp_path / name / "state.pt", weights_only=True) for name in ("alone", "looked at")]
    assert all(torch.equal(value, states[1]["model"][name]) for name, value in states[0]["model"].items())
    assert torch.equal(states[0]["randomness"]["generator"], states[1]["randomness"]["generator"])


def test_weights_of_zero_are_seen_failing():
    """The tutorial's case: nothing but the last bias learns, and every unit is dead."""
    hyperparameters = small(epochs=2, init="zeros")
    keeper = Keeper(hyperparameters, digits(150))
    run(hyperparameters, digits(150), observe=keeper)
    last = keeper.rows[-1]
    assert {one["dead_share"] for one in last["activations"].values()} == {1.0}
    assert {one["zero_share"] for one in last["weights"].values()} == {1.0}
    *others, last_bias = last["grad_norms"].values()
    assert set(others) == {0.0}
    assert last_bias > 0


def test_the_batch_is_spread_over_all_classes_and_always_the_same():
    for data in (digits(), without_validation(digits(200)), digits(30)):
        normalize = normalization.build(small().input, data)
        batch = Diagnostics(data, normalize)._images
        assert len(batch) == min(128, len(data.train_labels))
        # Each image of the batch is a training image; its label is that of the first one that is equal.
        distances = (batch[:, None].float() - data.train_images[None].float()).abs().sum((2, 3, 4))
        assert distances.amin(1).max() == 0
        shares = torch.bincount(data.train_labels[distances.argmin(1)], minlength=10)
        expected = torch.bincount(data.train_labels, minlength=10) * len(batch) / len(data.train_labels)
        assert (shares - expected).abs().max() <= 2
        assert torch.equal(batch, Diagnostics(data, normalize)._images)
