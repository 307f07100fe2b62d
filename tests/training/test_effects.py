"""Every hyperparameter does something: another value of it gives another training."""

from collections.abc import Mapping
from functools import cache

import pytest
import torch
import torchvision

from tests.training.helpers import coloured, run
from tuner.hyperparameters.table import FIELDS, resolve

TINY = {"model": "cnn", "width": 4, "epochs": 2, "batch_size": 8, "lr": 0.05}
NORMED = {"norm": "batch"}
BRANCHED = {"model": "resnet9"}
PRETRAINED = {"model": "shufflenet_v2_x0_5", "width": None, "pretrained": True, "image_size": 32}
DROPPING = {"dropout": 0.5, "dropout_conv": 0.3}
CYCLIC = {"schedule": "cyclic", "step_size_up": 2}
PLATEAU = {"schedule": "plateau", "lr": 1e-6, "patience": 0, "epochs": 5}
STOPPING = {"early_stop_patience": 1, "lr": 1e-6, "epochs": 4}

#: Name to a value that is not the default, and what it needs beside it; None in it takes something out of ``TINY``.
EFFECTS: dict[str, tuple[object, Mapping[str, object]]] = {
    "model": ("mlp", {}),
    "pretrained": (True, {**PRETRAINED, "pretrained": False, "normalize": "dataset"}),
    "freeze_backbone": (True, PRETRAINED),
    "width": (5, {}),
    "depth": (1, {}),
    "norm": ("layer", {}),
    "norm_groups": (2, {"norm": "group", "norm_groups": 4}),
    "norm_momentum": (0.9, NORMED),
    "activation": ("gelu", {}),
    "init": ("orthogonal", {}),
    "init_mode": ("fan_out", {"init": "kaiming_normal"}),
    "normalize": ("none", {}),
    "image_size": (16, {}),
    "dropout": (0.5, {}),
    "dropout_conv": (0.5, {}),
    "dropout_kind": ("spatial", DROPPING),
    "dropblock_size": (2, {**DROPPING, "dropout_kind": "dropblock"}),
    "drop_path": (0.5, BRANCHED),
    "mixup_alpha": (1.0, {}),
    "cutmix_alpha": (1.0, {}),
    "mix_prob": (0.5, {"mixup_alpha": 1.0}),
    "mix_per": ("image", {"mixup_alpha": 1.0}),
    "resized_crop": (0.5, {}),
    "crop_padding": (4, {}),
    "flip": (True, {}),
    "vertical_flip": (True, {}),
    "rotation": (30.0, {}),
    "trivial_augment": (True, {}),
    "brightness": (0.5, {}),
    "contrast": (0.5, {}),
    "saturation": (0.5, {}),
    "hue": (0.2, {}),
    "grayscale": (0.5, {}),
    "blur": (1.0, {}),
    "erasing": (0.5, {}),
    "cutout": (4, {}),
    "weight_decay": (0.1, {}),
    "l1": (0.01, {}),
    "l1_proximal": (True, {"l1": 0.01}),
    "l2": (0.1, {}),
    "max_norm": (0.1, {}),
    "decay_norms_and_biases": (True, {"weight_decay": 0.1}),
    "label_smoothing": (0.1, {}),
    "loss": ("mse", {}),
    "optimizer": ("rmsprop", {}),
    "lr": (0.01, {}),
    "lr_backbone": (1e-3, PRETRAINED),
    "momentum": (0.0, {}),
    "nesterov": (True, {}),
    "beta1": (0.5, {"optimizer": "adam"}),
    "beta2": (0.5, {"optimizer": "adamw"}),
    "eps": (0.1, {"optimizer": "rmsprop"}),
    "alpha": (0.5, {"optimizer": "rmsprop"}),
    "centered": (True, {"optimizer": "rmsprop"}),
    "schedule": ("constant", {}),
    "warmup_epochs": (1, {}),
    "step_size": (1, {"schedule": "step"}),
    "milestones": ([1], {"schedule": "multistep", "epochs": 4}),
    "cyclic_mode": ("triangular2", {**CYCLIC, "epochs": 3}),
    "gamma": (0.5, {"schedule": "exponential"}),
    "base_lr": (0.0, CYCLIC),
    "step_size_up": (3, {"schedule": "cyclic"}),
    "step_size_down": (1, CYCLIC),
    "eta_min": (0.01, {}),
    "T_0": (1, {"schedule": "cosine_restarts"}),
    "T_mult": (2, {"schedule": "cosine_restarts", "T_0": 1, "epochs": 3}),
    "pct_start": (0.6, {"schedule": "onecycle"}),
    "anneal_strategy": ("linear", {"schedule": "onecycle"}),
    "div_factor": (2.0, {"schedule": "onecycle"}),
    "final_div_factor": (2.0, {"schedule": "onecycle"}),
    "start_factor": (0.5, {"schedule": "linear"}),
    "end_factor": (0.5, {"schedule": "linear"}),
    "total_iters": (1, {"schedule": "linear"}),
    "factor": (0.5, PLATEAU),
    "patience": (1, {**PLATEAU, "patience": None}),
    "threshold": (0.5, {**PLATEAU, "lr": 0.01, "threshold": 0.0}),
    "cooldown": (3, PLATEAU),
    "min_lr": (1e-7, PLATEAU),
    "clip_grad_norm": (0.01, {}),
    "clip_grad_value": (1e-3, {}),
    "ema_decay": (0.9, {}),
    "precision": ("bfloat16", {}),
    "early_stop_patience": (1, {"lr": 1e-6, "early_stop_min_delta": 1.0, "epochs": 4}),
    "early_stop_min_delta": (1.0, STOPPING),
    "early_stop_metric": ("val_accuracy", STOPPING),
    "epochs": (3, {}),
    "batch_size": (10, {}),
    "seed": (1, {}),
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "weights.pth"
    torch.manual_seed(0)
    torch.save(torchvision.models.shufflenet_v2_x0_5().state_dict(), path)
    return path


@cache
def reports(config, weights):
    """Return what each epoch of a training says, given the items of its configuration."""
    hyperparameters = resolve({name: value for name, value in config if value is not None})
    return run(hyperparameters, coloured(), weights=weights if hyperparameters.model.pretrained else None)


@pytest.mark.parametrize("name", EFFECTS)
def test_another_value_gives_another_training(name, weights):
    value, beside = EFFECTS[name]
    plain = {**TINY, **beside}
    changed = {**plain, name: tuple(value) if isinstance(value, list) else value}
    assert FIELDS[name].problem(value) is None and value != FIELDS[name].default
    assert reports(tuple(changed.items()), weights) != reports(tuple(plain.items()), weights)


def test_every_hyperparameter_is_tried():
    assert EFFECTS.keys() == FIELDS.keys() - {"compile"}  # which is to change the speed alone
