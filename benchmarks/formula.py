"""A trial that costs nothing: a formula in place of a training, with the settings and the numbers of a real one.

``driver.py`` calls ``numbers`` itself; ``cluster.py`` lays a copy of this file beside a search file, whose trainable
it is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

EPOCHS = 27

#: Nine searched hyperparameters, two of them conditional. ``pause`` is what one epoch waits, in seconds.
SEARCH_FILE = """\
name: {name}
trainable: formula:train
metric: {{name: val_accuracy, goal: maximize}}
search: {{algorithm: {algorithm}, trials: {trials}, seed: 0}}
scheduler: {{type: asha, grace_period: 3, reduction_factor: 3, max_epochs: 27}}
resources: {{cpus_per_trial: 1, max_concurrent: {slots}}}
parameters:
  pause: {pause}
  batch_size: {{values: [128, 256, 512]}}
  optimizer: {{values: [sgd, adamw]}}
  lr:
    - {{min: 1e-2, max: 1.0, log: true, when: {{optimizer: sgd}}}}
    - {{min: 1e-4, max: 1e-2, log: true, when: {{optimizer: adamw}}}}
  momentum: {{min: 0.8, max: 0.98, when: {{optimizer: sgd}}}}
  weight_decay: {{min: 1e-5, max: 1e-2, log: true}}
  dropout: {{min: 0.0, max: 0.5}}
  mixup_alpha: {{values: [0.0, 0.1, 0.2, 0.4, 1.0]}}
  label_smoothing: {{min: 0.0, max: 0.2}}
  width: {{min: 16, max: 128}}
"""


def numbers(config: Mapping[str, Any], epoch: int) -> dict[str, float]:
    """Return what the built-in training reports for one epoch, made up: best near lr 0.1 with sgd, rising with time."""
    centre = 0.1 if config["optimizer"] == "sgd" else 0.001
    accuracy = 0.9 - 0.1 * abs(math.log10(config["lr"] / centre)) - 0.2 * config["dropout"] ** 2 - 0.3 / epoch
    loss = -math.log(max(accuracy, 0.05))
    return {
        "val_accuracy": accuracy,
        "val_loss": loss,
        "train_accuracy": accuracy + 0.0321,
        "train_loss": 0.8 * loss,
        "generalization_gap": 0.2 * loss,
        "objective": 0.9 * loss,
        "lr_now": config["lr"] * (1 - epoch / EPOCHS),
        "grad_norm": 1.0 / epoch,
        "clip_share": 0.0,
        "images_per_second": 4321.5,
        "epoch_seconds": config["pause"],
        "parameter_count": 1_234_567.0,
    }


def train(config: dict[str, Any]) -> Iterator[dict[str, float]]:
    """Yield the numbers of each epoch after its pause."""
    for epoch in range(1, EPOCHS + 1):
        time.sleep(config["pause"])
        yield numbers(config, epoch)
