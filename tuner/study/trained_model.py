"""A trained model, ready to be used: from images as they are in the data set to the probability of each class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from tuner.facts.errors import ResultsDamagedError, UsageError, relative_to_cwd
from tuner.hyperparameters.table import resolve
from tuner.storage.copies import attach, fetch
from tuner.study.description import Description
from tuner.study.model_folder import CONFIG_FILE, WEIGHTS_FILE, ModelFolder, find_model
from tuner.training import normalization
from tuner.training.models import registry as models
from tuner.training.normalization import Normalize
from tuner.training.predictions import predict_probabilities


def load_model(
    model: str | Path, *, results: str | Path = "results", device: str | torch.device = "cpu"
) -> TrainedModel:
    """Return a model that ``tuner train`` made.

    Args:
        model: Its folder, or ``NAME/NUMBER`` as in the results folder.
        results: The results folder or ``s3://bucket/prefix``, for ``NAME/NUMBER``.
        device: Where it computes.

    Raises:
        UsageError: There is no such model.
        ResultsDamagedError: A file of it is missing or not what was written.
        StorageError: The object storage fails.
    """
    return TrainedModel.load(find_model(str(model), attach(str(results))), torch.device(device))


@dataclass(frozen=True)
class _Constants:
    mean: Tensor
    std: Tensor


@dataclass(frozen=True)
class TrainedModel:
    """What config.json describes, with its weights.

    Attributes:
        network: From normalized images to logits [B, classes]; in eval mode, on ``device``.
        normalize: The normalization that it was trained with.
        classes: Names of the classes, in the order of the logits.
        image_shape: Channels, height and width of the images.
        device: Where it computes.
    """

    network: nn.Module
    normalize: Normalize
    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    device: torch.device

    @staticmethod
    def build(description: Mapping[str, Any], weights: Mapping[str, Tensor], device: torch.device) -> TrainedModel:
        """Return the model that a description says, with these weights.

        Raises:
            ValueError: The description cannot be true.
            RuntimeError: The weights are those of another model.
        """
        said = Description.of(description)
        hyperparameters = resolve(said.config)
        shape = normalization.input_shape(hyperparameters.input, said.image_shape)
        network = models.build(hyperparameters, shape, len(said.classes))
        network.load_state_dict(dict(weights))
        constants = _Constants(torch.tensor(said.mean, device=device), torch.tensor(said.std, device=device))
        return TrainedModel(
            network=network.to(device).to(memory_format=torch.channels_last).eval(),
            normalize=normalization.build(hyperparameters.input, constants),
            classes=said.classes,
            image_shape=said.image_shape,
            device=device,
        )

    @staticmethod
    def load(folder: ModelFolder, device: torch.device) -> TrainedModel:
        """Return the model that lies in a folder.

        Raises:
            ResultsDamagedError: A file is missing or not what was written.
            StorageError: The object storage fails.
        """
        fetch(folder.path / WEIGHTS_FILE)
        try:
            weights = load_file(folder.path / WEIGHTS_FILE)
            return TrainedModel.build(folder.description(), weights, device)
        except (OSError, SafetensorError, UsageError, RuntimeError, KeyError, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            place = relative_to_cwd(folder.path)
            raise ResultsDamagedError(f"{place}: {WEIGHTS_FILE} and {CONFIG_FILE} make no model: {reason}") from error

    def probabilities(self, images: Tensor) -> Tensor:
        """Return the probability of each class, float64 [N, classes] on the CPU.

        Args:
            images: uint8 [N, C, H, W] as they are in the data set, N >= 1.
        """
        return predict_probabilities(self.network, images.to(self.device), self.normalize)
