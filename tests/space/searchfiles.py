"""Search files for tests, and how to read them."""

from pathlib import Path

from tuner.facts.errors import SearchFileError
from tuner.hyperparameters.table import TRAINABLES
from tuner.space.read import read_search_file
from tuner.space.searchfile import SearchFile

#: Everything that a search file can say.
WHOLE = """\
name: cifar10                       # the folder under results/
trainable: cifar
results: null
data:
  dataset: cifar10
  root: images
  validation: 5000
  split_seed: 0
  train_images: null
metric: {name: val_accuracy, goal: maximize}
search: {algorithm: tpe, trials: 64, seed: 0, time_budget: 90m, points: [{optimizer: sgd, lr: 1}]}
scheduler: {type: asha, grace_period: 3, reduction_factor: 3}
resources: {cpus_per_trial: 1, gpus_per_trial: 0, max_concurrent: null, reuse_workers: true}
retries: 3
trial_timeout: null
keep_checkpoints: 3
require: ["warmup_epochs < epochs", 'mixup_alpha == 0 or dropout < 0.4']
parameters:
  model: resnet18
  epochs: 27
  batch_size: {values: [128, 256, 512]}
  optimizer: {values: [sgd, adamw]}
  lr:
    - {min: 1e-2, max: 1.0,  log: true, when: {optimizer: sgd}}
    - {min: 1e-4, max: 1e-2, log: true, when: {optimizer: adamw}}
  momentum: {min: 0.8, max: 0.98, when: {optimizer: sgd}}
  weight_decay: {min: 1e-5, max: 1e-2, log: true}
  dropout: {min: 0.0, max: 0.5}
  mixup_alpha: {values: [0.0, 0.1, 0.2, 0.4, 1.0]}   # 0 is off
  schedule: {values: [cosine, step, onecycle]}
  step_size: {min: 3, max: 12, when: {schedule: step}}
  gamma: {min: 0.1, max: 0.7, log: true, when: {schedule: step}}
"""

#: As little as it can say.
SMALL = "parameters:\n  epochs: 9\n  dropout: {min: 0.0, max: 0.5}\n"

#: For a trainable of one's own, which `write` puts beside it.
OWN = """\
trainable: "mine:train"
metric: {name: loss, goal: minimize}
scheduler: {max_epochs: 9}
parameters:
  a: {values: [x, y]}
  b: {min: 0.0, max: 1.0, when: {a: x}}
"""


def write(folder: Path, text: str) -> Path:
    """Write a search file, and a trainable beside it."""
    (folder / "mine.py").write_text("raise SystemExit('imported')\n\ndef train(config):\n    yield {'loss': 0.0}\n")
    path = folder / "space.yaml"
    path.write_text(text)
    return path


def read(folder: Path, text: str, *overrides: str, flags: dict[str, tuple[str, object]] | None = None) -> SearchFile:
    """Write and read a search file."""
    return read_search_file(write(folder, text), overrides, trainables=TRAINABLES, flags=flags)


def complaints(
    folder: Path, text: str, *overrides: str, flags: dict[str, tuple[str, object]] | None = None
) -> list[tuple[int | None, int | None, str]]:
    """Return line, column and message of every error of a search file; nothing if it is good."""
    try:
        read(folder, text, *overrides, flags=flags)
    except SearchFileError as error:
        return [(item.line, item.column, item.message) for item in error.problems if item.severity == "error"]
    return []
