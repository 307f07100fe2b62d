"""The training loop of the built-in trainable, from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from pathlib import Path
from statistics import fmean

import torch

from tuner.facts.errors import UsageError
from tuner.facts.records import Goal
from tuner.hyperparameters.table import Hyperparameters
from tuner.training import checkpoints, normalization, objectives, optimizers, penalties
from tuner.training.clock import Stopwatch, read_together
from tuner.training.data import TrainingData
from tuner.training.early_stopping import BestWeights, EarlyStopping
from tuner.training.ema import WeightAverage
from tuner.training.evaluation import Measure
from tuner.training.layers.concrete import concrete_rates
from tuner.training.learning_rate import Schedule
from tuner.training.loader import Loader
from tuner.training.models import registry as models
from tuner.training.models.finetuning import set_training_mode
from tuner.training.observed import Observed
from tuner.training.precision import LossScale, autocast
from tuner.training.randomness import Randomness
from tuner.training.steps import GuardedStep


def train(
    hyperparameters: Hyperparameters,
    data: TrainingData,
    *,
    device: torch.device,
    checkpoint: Path | None = None,
    weights: Path | None = None,
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
        weights: The file of a pretrained network's weights, also where a checkpoint is continued; None where the
            network begins with fresh ones.
        metric: The name in the report by which the best weights are kept.
        goal: Which way ``metric`` is better.
        gated: How divergence is guarded (see ``GuardedStep``); None is a flag on the device for GPUs alone.
        observe: Called after each epoch, before its checkpoint is written, so that none is missed by a process that is
            killed; one that is trained again is seen again. It must leave random numbers and weights alone.

    Yields:
        After each epoch the numbers named by ``tuner.facts.records.REPORT_NAMES``; with float16 also ``skip_share``,
        the share of steps that were skipped, and with concrete dropout ``concrete_dropout``, the mean learned rate.

    Returns:
        Why it ended: ``budget`` or ``early_stop``.

    Raises:
        DivergedError: A loss or gradient was not finite. Nothing of that epoch is kept.
        ResultsDamagedError: The checkpoint cannot be read.
        UsageError: Images or weights do not fit the network or are missing, the device cannot compute in the
            precision, or early stopping or the schedule needs validation images and there are none.
    """
    budget, stability = hyperparameters.budget, hyperparameters.stability
    _check_nothing_is_missing(hyperparameters, data, weights)
    randomness = Randomness(budget.seed, device)
    with randomness.installed():
        image_shape = normalization.input_shape(hyperparameters.input, data.image_shape)
        model = models.build(hyperparameters, image_shape, len(data.classes), weights)
    model.to(device).to(memory_format=torch.channels_last)
    normalize = normalization.build(hyperparameters.input, data)
    loader = Loader(hyperparameters, data, normalize, randomness.generator)
    in_precision = autocast(stability.precision, device)
    loss_scale = LossScale(device, enabled=stability.precision == "float16")
    objective = objectives.build(hyperparameters, model, in_precision, len(data.train_labels))
    optimizer = optimizers.build(hyperparameters.optimizer, hyperparameters.penalties, model)
    projections = penalties.projections(hyperparameters.penalties, model, optimizer)
    schedule = Schedule(optimizer, hyperparameters.schedule, budget.epochs, len(loader))
    guarded_step = GuardedStep(
        model,
        optimizer,
        stability,
        loss_scale,
        projections,
        gated=device.type != "cpu" if gated is None else gated,
    )
    average = WeightAverage(model, stability.ema_decay)
    early_stopping = EarlyStopping(stability)
    best = BestWeights(goal)
    measure = Measure(data, normalize)

    parts: dict[str, checkpoints.Part] = {
        "model": model,
        "optimizer": optimizer,
        "loss_scale": loss_scale,
        "schedule": schedule,
        "randomness": randomness,
        "average": average,
        "early_stopping": early_stopping,
        "best": best,
    }
    epoch = 0 if checkpoint is None else checkpoints.load(checkpoint, parts)

    while epoch < budget.epochs and not early_stopping.stopped:
        epoch += 1
        epoch_began = time.perf_counter()
        training = Stopwatch(device)
        with randomness.installed():
            set_training_mode(model, hyperparameters.model.freeze_backbone)
            for images, targets in loader:
                optimizer.zero_grad()
                loss = objective(images, targets)
                loss_scale.scaled(loss).backward()
                guarded_step(loss.detach(), len(images))
                average.update()
                lr_now = schedule.lr
                schedule.step()
        training.stop()
        evaluated = average.model()
        with in_precision:
            step_sums, scores = read_together(guarded_step.sums(), measure(evaluated))
        means, dropout_rates = guarded_step.finish_epoch(step_sums), concrete_rates(evaluated)
        report: dict[str, float] = {
            "epoch": epoch,
            "lr_now": lr_now,
            **measure.scores(scores),
            "objective": means.objective,
            "grad_norm": means.grad_norm,
            "clip_share": means.clip_share,
            "images_per_second": len(data.train_labels) / training.seconds(),
            "epoch_seconds": time.perf_counter() - epoch_began,
            "parameter_count": models.parameter_count(model),
            **({"skip_share": means.skip_share} if loss_scale.enabled else {}),
            **({"concrete_dropout": fmean(dropout_rates.values())} if dropout_rates else {}),
        }
        schedule.finish_epoch(report.get("val_loss"))
        early_stopping.update(report)
        best.update(epoch, report[metric] if data.has_validation else None, evaluated)
        if observe is not None:
            observe(Observed(epoch, evaluated, means.grad_norms, dropout_rates, report))
        if checkpoint is not None:
            checkpoints.save(checkpoint, epoch, parts)
        yield report
    return "budget" if epoch == budget.epochs else "early_stop"


def _check_nothing_is_missing(hyperparameters: Hyperparameters, data: TrainingData, weights: Path | None) -> None:
    if hyperparameters.model.pretrained and weights is None:
        raise UsageError(f"pretrained {hyperparameters.model.model} needs a file of weights, and there is none")
    patience, schedule = hyperparameters.stability.early_stop_patience, hyperparameters.schedule.schedule
    if not data.has_validation and (patience is not None or schedule == "plateau"):
        raise UsageError("early stopping and the schedule plateau need validation images, and there are none")
