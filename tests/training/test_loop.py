import dataclasses
import math
import warnings

import pytest
import torch
from torch import nn

from tests.training.helpers import CPU, TIMES, coloured, digits, run, small, without_validation
from tests.training.waits import HostReads
from tuner.facts.errors import DivergedError, UsageError
from tuner.facts.records import REPORT_NAMES, Goal
from tuner.hyperparameters.table import resolve
from tuner.training import checkpoints, losses, normalization, optimizers
from tuner.training.evaluation import loss_and_accuracy
from tuner.training.loop import train

EVERYTHING = {
    "epochs": 4,
    "dropout": 0.3,
    "dropout_conv": 0.1,
    "mixup_alpha": 0.4,
    "cutmix_alpha": 1.0,
    "mix_prob": 0.8,
    "crop_padding": 1,
    "flip": True,
    "vertical_flip": True,
    "rotation": 10.0,
    "brightness": 0.2,
    "contrast": 0.2,
    "erasing": 0.3,
    "cutout": 3,
    "resized_crop": 0.5,
    "trivial_augment": True,
    "label_smoothing": 0.1,
    "weight_decay": 1e-3,
    "l1": 1e-5,
    "l1_proximal": True,
    "l2": 1e-4,
    "max_norm": 3.0,
    "clip_grad_norm": 1.0,
    "clip_grad_value": 0.5,
    "ema_decay": 0.9,
    "early_stop_patience": 10,
}


def state(folder):
    return torch.load(folder / "state.pt", weights_only=True)


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def test_learns_digits():
    reports, reason = run(small(epochs=8, lr=0.05, width=16), digits())
    assert reason == "budget"
    assert reports[-1]["val_accuracy"] > 0.9


def test_reports_each_epoch_what_the_contract_names():
    for epoch, report in enumerate(train(small(), digits(300), device=CPU), 1):
        assert tuple(report) == REPORT_NAMES
        assert report["epoch"] == epoch
        assert all(math.isfinite(value) for value in report.values())
        assert report["generalization_gap"] == report["train_accuracy"] - report["val_accuracy"]


def test_the_reported_rate_is_the_one_used():
    reports, _ = run(small(epochs=4, schedule="step", step_size=2, gamma=0.1, lr=0.05), digits(300))
    assert [report["lr_now"] for report in reports] == pytest.approx([0.05, 0.05, 0.005, 0.005])


@pytest.mark.parametrize(
    "config",
    [
        {"optimizer": "sgd", "momentum": 0.9, "nesterov": True, "schedule": "onecycle", "lr": 0.05},
        {"optimizer": "adamw", "schedule": "cosine", "warmup_epochs": 2, "lr": 3e-3},
        {"model": "resnet9", "width": 4, "schedule": "step", "step_size": 1, "warmup_epochs": 1},
        {"optimizer": "adam", "loss": "mse", "lr": 3e-3},
        {"precision": "float16", "dropout_kind": "concrete", "lr": 0.01},
        {"optimizer": "rmsprop", "momentum": 0.5, "centered": True, "loss": "rmse", "lr": 1e-3},
    ],
)
def test_resumes_bit_for_bit(tmp_path, config):
    hyperparameters, data = small(**{**EVERYTHING, **config}), digits(301)
    straight, _ = run(hyperparameters, data, checkpoint=tmp_path / "straight")

    first = train(hyperparameters, data, device=CPU, checkpoint=tmp_path / "resumed")
    for _ in range(2):
        next(first)
    first.close()
    torch.manual_seed(999)  # another process has another global generator
    rest, reason = run(hyperparameters, data, checkpoint=tmp_path / "resumed")

    assert rest == straight[2:]
    assert reason == "budget"
    assert same(state(tmp_path / "straight"), state(tmp_path / "resumed"))


def test_a_finished_trial_that_is_resumed_ends_at_once(tmp_path):
    run(small(), digits(300), checkpoint=tmp_path)
    assert run(small(), digits(300), checkpoint=tmp_path) == ([], "budget")


def test_the_seed_decides_everything_and_other_draws_nothing():
    one, _ = run(small(**EVERYTHING, seed=1), digits(300))
    torch.rand(7)
    same_again, _ = run(small(**EVERYTHING, seed=1), digits(300))
    other, _ = run(small(**EVERYTHING, seed=2), digits(300))
    assert one == same_again
    assert one != other


def test_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    epochs = train(small(dropout=0.5), digits(300), device=CPU)
    next(epochs)
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(5)  # the caller's draws between epochs do not reach the trial
    straight, _ = run(small(dropout=0.5), digits(300))
    assert next(epochs)["objective"] == straight[1]["objective"]


def test_early_stopping_ends_a_trial_and_stays_ended(tmp_path):
    # A rate this small improves nothing by 1, so that every epoch after the first is a miss.
    hyperparameters = small(epochs=20, lr=1e-6, early_stop_patience=2, early_stop_min_delta=1.0)
    reports, reason = run(hyperparameters, digits(300), checkpoint=tmp_path)
    assert (len(reports), reason) == (3, "early_stop")
    assert run(hyperparameters, digits(300), checkpoint=tmp_path) == ([], "early_stop")


@pytest.mark.parametrize(("metric", "goal"), [("val_accuracy", Goal.MAXIMIZE), ("val_loss", Goal.MINIMIZE)])
def test_best_weights_are_those_of_the_best_epoch(tmp_path, metric, goal):
    weights, values = {}, []
    trial = train(small(epochs=6, lr=0.3), digits(300), device=CPU, checkpoint=tmp_path, metric=metric, goal=goal)
    for report in trial:
        weights[report["epoch"]] = state(tmp_path)["model"]
        values.append(report[metric])
    best = (max if goal is Goal.MAXIMIZE else min)(values)
    epoch, kept = checkpoints.best_weights(tmp_path)
    assert epoch == values.index(best) + 1
    assert same(kept, weights[epoch])


class BreaksAt:
    """A loss that becomes NaN at one step."""

    def __init__(self, step):
        self.step, self.steps, self.plain = step, 0, nn.CrossEntropyLoss()

    def __call__(self, logits, targets):
        self.steps += 1
        return self.plain(logits, targets) * (math.nan if self.steps == self.step else 1.0)


@pytest.mark.parametrize("gated", [False, True])
def test_divergence_ends_the_trial_and_keeps_nothing_of_its_epoch(tmp_path, monkeypatch, gated):
    hyperparameters, data = small(model="resnet9", width=4), digits(300)  # 5 steps an epoch, with batch norms
    monkeypatch.setitem(losses.LOSSES, "cross_entropy", lambda penalties: BreaksAt(step=8))
    trial = train(hyperparameters, data, device=CPU, checkpoint=tmp_path, gated=gated)
    next(trial)
    before = (tmp_path / "state.pt").read_bytes()
    with pytest.raises(DivergedError):
        next(trial)
    assert (tmp_path / "state.pt").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]


def test_a_rate_that_is_far_too_high_diverges():
    with pytest.raises(DivergedError):
        run(small(epochs=10, lr=1000.0, weight_decay=10.0), digits(300))


def test_the_gate_changes_no_number():
    hyperparameters = small(**EVERYTHING)
    assert run(hyperparameters, digits(300), gated=True) == run(hyperparameters, digits(300), gated=False)


@pytest.mark.parametrize(
    "changes",
    [
        *({"optimizer": name} for name in optimizers.OPTIMIZERS),
        *({"dropout_kind": name} for name in ("spatial", "dropblock", "dropconnect")),
        *({"loss": name} for name in ("mse", "rmse")),
        {"mix_per": "image", "precision": "bfloat16"},
        {"precision": "float16"},
        {"model": "resnet9", "width": 2, "schedule": "plateau", "norm": "rms", "drop_path": 0.1},
    ],
    ids=str,
)
def test_gated_the_host_waits_for_the_device_once_an_epoch(monkeypatch, changes):
    trial = train(small(**{**EVERYTHING, **changes}, batch_size=50), digits(300), device=CPU, gated=True)
    next(trial)
    with HostReads(monkeypatch) as reads:
        next(trial)
    assert reads.count == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_on_a_gpu_the_waits_of_an_epoch_do_not_grow_with_its_steps(precision):
    gpu = torch.device("cuda")
    data = dataclasses.replace(
        digits(300), **{name: value.to(gpu) for name, value in vars(digits(300)).items() if name != "classes"}
    )
    waits = []
    for batch_size in (300, 10):
        hyperparameters = small(**EVERYTHING, precision=precision, batch_size=batch_size)
        # By this metric the second epoch is not the best, whose weights would be copied to the host.
        trial = train(hyperparameters, data, device=gpu, metric="epoch", goal=Goal.MINIMIZE)
        next(trial)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                next(trial)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        waits.append(sum("synchroniz" in str(warning.message) for warning in caught))
    assert waits[0] == waits[1] > 0


def test_a_last_batch_of_one_never_reaches_a_batch_norm():
    reports, _ = run(small(model="resnet9", width=2, batch_size=50, epochs=1), digits(301))
    assert len(reports) == 1


def test_validation_images_have_no_influence_on_the_weights(tmp_path):
    data = digits(300)
    blank = dataclasses.replace(data, validation_images=torch.zeros_like(data.validation_images))
    run(small(), data, checkpoint=tmp_path / "one")
    run(small(), blank, checkpoint=tmp_path / "other")
    assert same(state(tmp_path / "one")["model"], state(tmp_path / "other")["model"])


def test_without_augmentation_and_dropout_the_objective_is_the_training_loss():
    # One step an epoch at a tiny rate: the loss before the step is the loss of the whole training set.
    data = digits(300)
    reports, _ = run(small(batch_size=300, lr=1e-9, epochs=1), data)
    assert reports[0]["objective"] == pytest.approx(reports[0]["train_loss"], rel=1e-4)
    assert reports[0]["parameter_count"] == 8 * 10 + 16 * 73 + 257 * 10 + 256 * (16 * 4 + 1)


def test_what_is_optimized_includes_the_penalties():
    plain, penalized = (
        run(small(batch_size=300, lr=1e-9, epochs=1, **settings), digits(300))[0][0]["objective"]
        for settings in ({}, {"l1": 0.01, "l1_proximal": True})
    )
    assert penalized > plain + 0.1


def test_every_image_may_be_trained_on(tmp_path):
    data = without_validation(digits(300))
    reports, reason = run(small(), data, checkpoint=tmp_path)
    missing = {"val_loss", "val_accuracy", "generalization_gap", *TIMES}
    assert list(reports[0]) == [name for name in REPORT_NAMES if name not in missing]
    assert (len(reports), reason) == (3, "budget")
    epoch, weights = checkpoints.best_weights(tmp_path)
    assert epoch == 3
    assert same(weights, state(tmp_path)["model"])


@pytest.mark.parametrize("config", [{"early_stop_patience": 3}, {"schedule": "plateau"}])
def test_what_hears_the_validation_images_needs_some(config):
    with pytest.raises(UsageError, match="need validation images"):
        run(small(**config), without_validation(digits(300)))


def test_a_pretrained_network_is_never_trained_from_random_weights():
    with pytest.raises(UsageError, match="pretrained resnet18 needs a file of weights, and there is none"):
        run(resolve({"model": "resnet18", "pretrained": True}), coloured())


def test_observers_see_each_epoch_and_change_nothing():
    seen = []
    watched, _ = run(small(clip_grad_norm=0.1), digits(300), observe=seen.append)
    assert watched == run(small(clip_grad_norm=0.1), digits(300))[0]
    assert [item.epoch for item in seen] == [1, 2, 3]
    for item in seen:
        assert list(item.grad_norms) == [name for name, _ in item.model.named_parameters()]
        assert item.report["epoch"] == item.epoch


def test_the_average_of_the_weights_is_what_is_measured_and_kept(tmp_path):
    seen = []
    hyperparameters, data = small(ema_decay=0.9, epochs=1, lr=0.02, model="resnet9", width=4), digits(300)
    reports, _ = run(hyperparameters, data, checkpoint=tmp_path, observe=seen.append)
    average = state(tmp_path)["average"]["average"]
    assert not same(average, state(tmp_path)["model"])
    model = seen[-1].model
    assert same(dict(model.state_dict()), dict(average))
    normalize = normalization.build(hyperparameters.input, data)
    loss, accuracy = loss_and_accuracy(model, data.validation_images, data.validation_labels, normalize).tolist()
    assert (loss, accuracy) == (reports[-1]["val_loss"], reports[-1]["val_accuracy"])
    assert same(dict(checkpoints.best_weights(tmp_path)[1]), dict(average))


def test_concrete_dropout_reports_its_mean_rate_and_shows_each():
    seen = []
    reports, _ = run(
        small(dropout=0.3, dropout_conv=0.1, dropout_kind="concrete", lr=0.05), digits(300), observe=seen.append
    )
    for report, item in zip(reports, seen, strict=True):
        assert report["concrete_dropout"] == pytest.approx(sum(item.dropout_rates.values()) / len(item.dropout_rates))
    assert reports[-1]["concrete_dropout"] != pytest.approx(reports[0]["concrete_dropout"], abs=1e-6)
    assert run(small(dropout=0.3, epochs=1), digits(300))[0][0].keys() == {*REPORT_NAMES} - {*TIMES}
