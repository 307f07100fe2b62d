"""The training loop of the built-in trainable, from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from pathlib import Path

import torch

from tuner.facts.errors import UsageError
from tuner.facts.records import Goal
from tuner.hyperparameters.table import Hyperparameters
from tuner.training import augmentation, checkpoints, mixing, normalization, objectives, optimizers, penalties
from tuner.training.batches import shuffled_batches, steps_per_epoch
from tuner.training.clock import Stopwatch, read_together
from tuner.training.data import TrainingData
from tuner.training.early_stopping import BestWeights, EarlyStopping
from tuner.training.evaluation import Measure
from tuner.training.models import registry as models
from tuner.training.observed import Observed
from tuner.training.randomness import Randomness
from tuner.training.schedules import Schedule
from tuner.training.steps import GuardedStep


def train(
    hyperparameters: Hyperparameters,
    data: TrainingData,
    *,
    device: torch.device,
    checkpoint: Path | None = None,
    metric: str = "val_accuracy",
    goal: Goal = Goal.MAXIMIZE,
    gated: bool | None = None,
    observe: Callable[[Observed], None] | None = None,
) -> Generator[dict[str, float], None, str]:
    """Train one trial, an epoch at a time.

    Args:
        hyperparameters: What to train and how.
        data: Images, already on ``device``. Without validation images the report lacks ``val_loss``, ``val_accuracy``
            and ``generalization_gap``, and the best weights are those of the last epoch.
        device: Where to train.
        checkpoint: A folder. What lies in it at a yield is that epoch's checkpoint; one found there at the start is
            continued, bit for bit on the CPU. None keeps none.
        metric: The name in the report by which the best weights are kept.
        goal: Which way ``metric`` is better.
        gated: How divergence is guarded (see ``GuardedStep``); None is a flag on the device for GPUs alone.
        observe: Called after each epoch, before its report is yielded. It must leave random numbers and weights alone.

    Yields:
        After each epoch the numbers named by ``tuner.facts.records.REPORT_NAMES``.

    Returns:
        Why it ended: ``budget`` or ``early_stop``.

    Raises:
        DivergedError: A loss or gradient was not finite. Nothing of that epoch is kept.
        ResultsDamagedError: The checkpoint cannot be read.
        UsageError: The images are too small, or there are no validation images and early stopping or the schedule
            needs them.
    """
    budget, stability = hyperparameters.budget, hyperparameters.stability
    _check_validation(hyperparameters, data)
    images_count = len(data.train_labels)
    randomness = Randomness(budget.seed, device)
    with randomness.installed():
        shape = normalization.input_shape(hyperparameters.input, data.image_shape)
        model = models.build(hyperparameters, shape, len(data.classes))
    model.to(device).to(memory_format=torch.channels_last)
    normalize = normalization.build(hyperparameters.input, data)
    augment = augmentation.build(hyperparameters.augmentation, data)
    mix = mixing.build(hyperparameters.mixing, len(data.classes))
    objective = objectives.build(hyperparameters, model)
    optimizer = optimizers.build(hyperparameters.optimizer, hyperparameters.penalties, model)
    projections = penalties.projections(hyperparameters.penalties, model, optimizer)
    steps = steps_per_epoch(images_count, budget.batch_size)
    schedule = Schedule(optimizer, hyperparameters.schedule, budget.epochs, steps)
    gated = device.type != "cpu" if gated is None else gated
    guarded_step = GuardedStep(model, optimizer, stability, projections, gated=gated)
    early_stopping = EarlyStopping(stability)
    best = BestWeights(goal)
    measure = Measure(data, normalize)

    parts: dict[str, checkpoints.Part] = {
        "model": model,
        "optimizer": optimizer,
        "schedule": schedule,
        "randomness": randomness,
        "early_stopping": early_stopping,
        "best": best,
    }
    epoch = 0 if checkpoint is None else checkpoints.load(checkpoint, parts)

    while epoch < budget.epochs and not early_stopping.stopped:
        epoch += 1
        epoch_began = time.perf_counter()
        training = Stopwatch(device)
        with randomness.installed():
            model.train()
            for batch in shuffled_batches(images_count, budget.batch_size, randomness.generator):
                images = normalize(augment(data.train_images[batch], randomness.generator))
                images, targets = mix(images, data.train_labels[batch], randomness.generator)
                optimizer.zero_grad()
                loss = objective(images, targets)
                loss.backward()
                guarded_step(loss.detach(), len(batch))
                lr_now = schedule.lr
                schedule.step()
        training.stop()
        step_sums, measured = read_together(guarded_step.sums(), measure(model))
        means = guarded_step.finish_epoch(step_sums)
        report: dict[str, float] = {
            "epoch": epoch,
            "lr_now": lr_now,
            **measure.scores(measured),
            "objective": means.objective,
            "grad_norm": means.grad_norm,
            "clip_share": means.clip_share,
            "images_per_second": images_count / training.seconds(),
            "epoch_seconds": time.perf_counter() - epoch_began,
            "parameter_count": models.parameter_count(model),
        }
        schedule.finish_epoch(report.get("val_loss"))
        early_stopping.update(report)
        best.update(epoch, report[metric] if data.has_validation else None, model)
        if checkpoint is not None:
            checkpoints.save(checkpoint, epoch, parts)
        if observe is not None:
            observe(Observed(epoch, model, means.grad_norms, report))
        yield report
    return "budget" if epoch == budget.epochs else "early_stop"


def _check_validation(hyperparameters: Hyperparameters, data: TrainingData) -> None:
    patience, schedule = hyperparameters.stability.early_stop_patience, hyperparameters.schedule.schedule
    if not data.has_validation and (patience is not None or schedule == "plateau"):
        raise UsageError("early stopping and the schedule plateau need validation images, and there are none")
