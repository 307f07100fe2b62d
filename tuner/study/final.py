"""The final training of one configuration: its full budget on all images, once for each seed, then the test split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors.torch import save

from tuner.datasets.contents import Images, Labels
from tuner.datasets.prepared import PreparedData
from tuner.facts.errors import DivergedError, TunerError
from tuner.facts.provenance import commit, versions
from tuner.facts.verdict import judge
from tuner.hyperparameters.table import Hyperparameters, resolve
from tuner.journal.storage import write_atomically
from tuner.storage.copies import fetch, push, remove
from tuner.study.curve import Curve
from tuner.study.final_images import final_images, holds_out
from tuner.study.model_folder import WEIGHTS_FILE, ModelFolder, read_json, write_json
from tuner.study.recipe import Recipe
from tuner.study.summary import summary
from tuner.study.trained_model import TrainedModel
from tuner.study.weights import Weights
from tuner.training import normalization
from tuner.training.checkpoints import best_weights
from tuner.training.data import TrainingData
from tuner.training.diagnostics.epoch import Diagnostics
from tuner.training.loop import train
from tuner.training.process import is_out_of_memory, reset_process
from tuner.training.scores import score

#: Gives the test split, images and labels; called once a seed, when everything of that seed is decided.
ReadTest = Callable[[], tuple[Images, Labels]]

_RESULT = "result.json"
_CURVE = "epochs.jsonl"
_CHECKPOINT = "checkpoint"
_SEEDS = 2**31  # every seed is smaller


class TrainingEndedError(TunerError):
    """The loss was no finite number, or memory ran out."""


class Listener(Protocol):
    """Who is shown how the training goes."""

    def seed_began(self, seed: int) -> None:
        """Called before the first epoch of a seed."""

    def epoch_ended(self, report: Mapping[str, float]) -> None:
        """Called with each epoch's report (see ``tuner.training.loop.train``)."""

    def seed_ended(self, result: Mapping[str, Any]) -> None:
        """Called with what metrics.json says of a seed."""


@dataclass(frozen=True)
class FinalTraining:
    """What is trained, on what, and where.

    Attributes:
        recipe: The configuration and how its images are told apart.
        prepared: The decoded images.
        weights: The pretrained weights that it begins with; None for fresh ones.
        folder: Where the model goes; the caller of ``run`` is its writer.
        device: Where to train.
        threads: CPU threads.
        read_test: Gives the test split; None where the data set has none.
        listener: Shown how it goes.
    """

    recipe: Recipe
    prepared: PreparedData
    weights: Weights | None
    folder: ModelFolder
    device: torch.device
    threads: int
    read_test: ReadTest | None
    listener: Listener

    def run(self, seeds: int) -> bool:
        """Train under each seed that the model lacks, then put model and metrics in their place.

        What an interrupted call has trained is not trained again. The seeds are the configuration's own and those
        that follow it; the weights are those of the first: choosing among them by their test scores would make those
        scores too good.

        Returns:
            Whether anything was left to do.

        Raises:
            UsageError: The model there has other settings, or the configuration does not fit the images.
            TrainingEndedError: The loss is no finite number, or memory ran out.
            ResultsHeldError: Another process took the training over while this one was asleep or cut off.
            StorageError: The folder cannot be written.
        """
        self.folder.refuse_other(self._settings())
        results = self.folder.metrics()["seeds"] if self.folder.finished else []
        missing = _seeds(self.recipe, seeds)[len(results) :]
        if not missing:
            return False
        data = final_images(self.recipe, self.prepared, self.device)
        description = self._description(data)
        self.folder.begin(description)
        for seed in missing:
            place = self.folder.partial / f"seed-{seed}"
            if not fetch(place / _RESULT):
                fetch(place)
                self._train_seed(seed, place, data, description)
            results.append(read_json(place / _RESULT))
            self.listener.seed_ended(results[-1])
        scores = [result["test"] for result in results if result["test"] is not None]
        metrics = {"model": self.recipe.name, "summary": summary(scores), "seeds": results}
        self.folder.finish(self.folder.partial / f"seed-{missing[0]}" / WEIGHTS_FILE, metrics)
        return True

    def _train_seed(self, seed: int, place: Path, data: TrainingData, description: Mapping[str, Any]) -> None:
        hyperparameters = resolve({**self.recipe.config, "seed": seed})
        reset_process(self.threads, seed)
        self.listener.seed_began(seed)
        normalize = normalization.build(hyperparameters.input, data)
        first = seed == _seeds(self.recipe, 1)[0]  # whose weights are kept: its layers are looked at
        curve = Curve(place / _CURVE, Diagnostics(data, normalize) if first else None)
        try:
            stop_reason = self._epochs(hyperparameters, place, data, curve)
        except DivergedError as error:
            raise TrainingEndedError(f"seed {seed} diverged in epoch {len(curve.epochs) + 1}: {error}") from error
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                raise TrainingEndedError(f"memory ran out in epoch {len(curve.epochs) + 1} of seed {seed}") from error
            raise
        self._finish_seed(seed, place, description, curve, stop_reason)

    def _finish_seed(
        self, seed: int, place: Path, description: Mapping[str, Any], curve: Curve, stop_reason: str
    ) -> None:
        """Read the test split, write down weights and result, and let go of the checkpoint."""
        epoch, weights = best_weights(place / _CHECKPOINT)
        write_atomically(place / WEIGHTS_FILE, save({name: value.contiguous() for name, value in weights.items()}))
        test = self._test(TrainedModel.build(description, weights, self.device))
        trained = next(report for report in curve.epochs if report["epoch"] == epoch)
        verdict = judge(curve.epochs)
        result = {
            "seed": seed,
            "stop_reason": stop_reason,
            "weights_of_epoch": epoch,
            "test": test,
            "generalization_gap": None if test is None else trained["train_accuracy"] - test["accuracy"],
            "verdict": None if verdict is None else asdict(verdict),
            "epochs": curve.epochs,
            "diagnostics": curve.diagnostics,
        }
        write_json(place / _RESULT, result)
        remove(place / _CHECKPOINT)

    def _epochs(self, hyperparameters: Hyperparameters, place: Path, data: TrainingData, curve: Curve) -> str:
        """Train to the end; returns why it ended."""
        epochs = train(
            hyperparameters,
            data,
            device=self.device,
            checkpoint=place / _CHECKPOINT,
            weights=None if self.weights is None else self.weights.path,
            metric=self.recipe.file.metric.name,
            goal=self.recipe.file.metric.goal,
            observe=curve,
        )
        while True:
            try:
                report = next(epochs)
            except StopIteration as end:
                return str(end.value)
            self.folder.confirm()
            push(place / _CURVE)  # first: an epoch without its line would be missing from the curve for good
            push(place / _CHECKPOINT)
            self.listener.epoch_ended(report)

    def _test(self, model: TrainedModel) -> dict[str, Any] | None:
        if self.read_test is None:
            return None
        images, labels = self.read_test()
        probabilities = model.probabilities(torch.from_numpy(np.array(images)))
        return score(probabilities, torch.from_numpy(np.array(labels)), model.classes).as_json()

    def _settings(self) -> dict[str, Any]:
        """Return what makes this training the same one as another."""
        data = {**self.recipe.data.portable(), "fingerprint": self.prepared.fingerprint}
        if self.weights is not None:
            data["weights"] = self.weights.fingerprint
        settings: dict[str, Any] = {"config": dict(self.recipe.config), "data": data}
        if holds_out(self.recipe):  # elsewhere no epoch is chosen
            metric = self.recipe.file.metric
            settings["metric"] = {"name": metric.name, "goal": str(metric.goal)}
        return settings

    def _description(self, data: TrainingData) -> dict[str, Any]:
        """Return what config.json holds."""
        return {
            "model": self.recipe.name,
            **self._settings(),
            "classes": list(data.classes),
            "image_shape": list(data.image_shape),
            "normalization": {"mean": data.mean.tolist(), "std": data.std.tolist()},
            "trained_on": len(data.train_labels),
            "held_out": len(data.validation_labels),
            "versions": versions(),
            "commit": commit(),
        }


def _seeds(recipe: Recipe, count: int) -> list[int]:
    return [(recipe.config["seed"] + index) % _SEEDS for index in range(count)]
