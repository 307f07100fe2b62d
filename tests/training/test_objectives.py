import pytest
import torch
from torch.nn import functional

from tests.training.helpers import CPU, digits, random_images, run, small
from tuner.training import objectives
from tuner.training.layers.concrete import concrete_penalty
from tuner.training.models import registry
from tuner.training.precision import autocast

IMAGES, LABELS = random_images(6, 1, 8, 8).float() / 255, torch.arange(6)


def parts(**config):
    hyperparameters = small(batch_size=6, **config)
    model = registry.build(hyperparameters, (1, 8, 8), 10).eval()
    objective = objectives.build(hyperparameters, model, autocast("float32", CPU), 300)
    return model, objective(IMAGES, LABELS).item()


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("cross_entropy", lambda logits: functional.cross_entropy(logits, LABELS)),
        ("mse", lambda logits: functional.mse_loss(logits.softmax(1), functional.one_hot(LABELS, 10).float())),
        ("rmse", lambda logits: functional.mse_loss(logits.softmax(1), functional.one_hot(LABELS, 10).float()).sqrt()),
    ],
)
def test_is_the_chosen_loss(loss, expected):
    model, objective = parts(loss=loss)
    assert objective == pytest.approx(expected(model(IMAGES)).item(), rel=1e-5)


def test_penalties_are_added():
    model, objective = parts(l1=0.01, l2=0.1)
    weights = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    added = sum((0.01 * weight.abs().sum() + 0.05 * weight.square().sum()).item() for weight in weights)
    assert objective == pytest.approx(functional.cross_entropy(model(IMAGES), LABELS).item() + added, rel=1e-5)


def test_learned_dropout_rates_have_their_penalty():
    model, objective = parts(dropout=0.3, dropout_kind="concrete")
    expected = functional.cross_entropy(model(IMAGES), LABELS) + concrete_penalty(model, 300)
    assert objective == pytest.approx(expected.item(), rel=1e-6)
    assert concrete_penalty(model, 300).item() > 1e-3


@pytest.mark.slow
@pytest.mark.timeout(900)  # a compiler runs
def test_compiled_it_is_the_same_objective_and_is_compiled_once():
    torch.compiler.reset()
    torch._dynamo.utils.counters.clear()
    settings = {"schedule": "onecycle", "lr": 0.02, "clip_grad_norm": 1.0, "ema_decay": 0.9, "mixup_alpha": 1.0}
    # 300 images are four full batches and a smaller one; the learning rate moves in each step.
    with torch._dynamo.config.patch(error_on_recompile=True):
        reports, _ = run(small(compile=True, **settings), digits(300))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
    plain, _ = run(small(**settings), digits(300))
    for compiled, eager in zip(reports, plain, strict=True):
        assert compiled == pytest.approx(eager, rel=1e-3)
