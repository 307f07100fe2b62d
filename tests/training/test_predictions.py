import pytest
import torch
from torch import nn

from tests.training.helpers import digits
from tuner.facts.errors import UsageError
from tuner.training.normalization import NORMALIZATIONS
from tuner.training.predictions import predict_probabilities


class Classifier(nn.Module):
    """A linear model with a dropout and a batch norm, whose eval mode counts."""

    def __init__(self, scale=1.0):
        super().__init__()
        torch.manual_seed(0)
        self.norm = nn.BatchNorm2d(1)
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 10))
        self.scale = scale

    def forward(self, images):
        return self.scale * self.head(self.norm(images))


def test_are_the_softmax_of_the_model_in_eval_mode_whatever_the_batches():
    data, model = digits(), Classifier().train()
    model.norm.eval()
    normalize = NORMALIZATIONS["dataset"](data)
    probabilities = predict_probabilities(model, data.validation_images, normalize, batch_size=77)
    assert model.training
    assert not model.norm.training
    model.eval()
    expected = model(normalize(data.validation_images)).double().softmax(1)
    assert probabilities.dtype == torch.float64
    assert torch.allclose(probabilities, expected, atol=1e-6)


def test_what_is_sure_beyond_single_precision_keeps_a_probability_for_every_class():
    data = digits()
    probabilities = predict_probabilities(Classifier(100.0), data.validation_images, NORMALIZATIONS["dataset"](data))
    assert probabilities.float().eq(0).any()
    assert probabilities.gt(0).all()
    assert torch.allclose(probabilities.sum(1), torch.ones(400, dtype=torch.float64))


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), -float("inf")])
def test_outputs_that_are_not_finite_are_one_sentence(broken):
    data, model = digits(), Classifier()
    with torch.no_grad():
        model.head[2].bias[3] = broken
    with pytest.raises(UsageError, match="not finite"):
        predict_probabilities(model, data.validation_images, NORMALIZATIONS["none"](data))
