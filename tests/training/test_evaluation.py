import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.training.helpers import CPU, digits, random_images, without_validation
from tuner.facts.errors import DivergedError
from tuner.training.data import TrainingData
from tuner.training.evaluation import Measure, clean_training_images, loss_and_accuracy
from tuner.training.normalization import NORMALIZATIONS


class Watcher(nn.Module):
    """A linear model that remembers what it saw."""

    def __init__(self):
        super().__init__()
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 10))
        self.frozen = nn.BatchNorm2d(1).eval()
        self.seen = []

    def forward(self, images):
        assert not self.training
        self.seen.append(images.clone())
        return self.head(images)


def test_is_plain_cross_entropy_and_accuracy_over_images_not_batches():
    data, model = digits(), Watcher()
    images, labels = data.train_images[:707], data.train_labels[:707]  # the second chunk is smaller
    normalize = NORMALIZATIONS["dataset"](data)
    loss, accuracy = loss_and_accuracy(model, images, labels, normalize).tolist()
    model.eval()
    logits = model(normalize(images)).double()
    assert loss == pytest.approx(functional.cross_entropy(logits, labels).item(), rel=1e-6)
    assert accuracy == pytest.approx((logits.argmax(1) == labels).double().mean().item())


def test_images_get_normalization_alone():
    data, model = digits(), Watcher()
    for name, expected in {
        "dataset": (data.validation_images.double() / 255 - data.mean.item()) / data.std.item(),
        "none": data.validation_images.double() / 255,
    }.items():
        model.seen.clear()
        loss_and_accuracy(model, data.validation_images, data.validation_labels, NORMALIZATIONS[name](data))
        assert torch.allclose(torch.cat(model.seen).double(), expected, atol=1e-5)


def test_normalized_training_images_have_mean_0_and_deviation_1():
    data = digits()
    normalized = NORMALIZATIONS["dataset"](data)(data.train_images)
    assert normalized.mean().item() == pytest.approx(0, abs=1e-4)
    assert normalized.std().item() == pytest.approx(1, abs=1e-3)


def test_gives_every_module_its_own_mode_back():
    model = Watcher().train()
    model.frozen.eval()
    data = digits()
    loss_and_accuracy(model, data.validation_images, data.validation_labels, NORMALIZATIONS["none"](data))
    assert model.training
    assert model.head.training
    assert not model.frozen.training


def test_clean_images_are_as_many_as_validation_images_with_the_same_share_of_each_class():
    data = digits()
    images, labels = clean_training_images(data)
    assert len(images) == len(labels) == 400
    expected = torch.bincount(data.train_labels, minlength=10) * 400 / 1300
    assert (torch.bincount(labels, minlength=10) - expected).abs().max() <= 1
    assert torch.equal(clean_training_images(data)[0], images)


def test_clean_images_are_at_most_5000_and_at_most_the_training_images():
    for training, validation, expected in ((12_000, 6_000, 5_000), (40, 60, 40)):
        images, labels = torch.zeros(training, 1, 1, 1, dtype=torch.uint8), torch.arange(training) % 3
        others = random_images(validation, 1, 1, 1)
        data = TrainingData.from_arrays(
            images.numpy(),
            labels.numpy(),
            others.numpy(),
            torch.zeros(validation).long().numpy(),
            ("a", "b", "c"),
            device=CPU,
        )
        _, chosen = clean_training_images(data)
        assert len(chosen) == expected
        assert torch.bincount(chosen).max() - torch.bincount(chosen).min() <= 1


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_divergence(broken):
    model = Watcher()
    with torch.no_grad():
        model.head[2].bias.fill_(broken)
    measure = Measure(digits(), NORMALIZATIONS["none"](digits()))
    with pytest.raises(DivergedError, match="evaluation"):
        measure.scores(measure(model).tolist())


def test_without_validation_images_only_training_images_are_measured():
    data = without_validation(digits())
    measure = Measure(data, NORMALIZATIONS["none"](data))
    assert list(measure.scores(measure(Watcher()).tolist())) == ["train_loss", "train_accuracy"]
    assert len(clean_training_images(data)[0]) == 1300
