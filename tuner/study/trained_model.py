"""A trained model, ready to be used: from images as they are in the data set to the probability of each class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from tuner.facts.errors import ResultsDamagedError, UsageError, relative_to_cwd
from tuner.hyperparameters.table import resolve
from tuner.study.model_folder import CONFIG_FILE, WEIGHTS_FILE, ModelFolder
from tuner.training import normalization
from tuner.training.models import registry as models
from tuner.training.normalization import Normalize
from tuner.training.predictions import predict_probabilities


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
            RuntimeError: The weights are those of another model.
        """
        hyperparameters = resolve(description["config"])
        classes = tuple(description["classes"])
        channels, height, width = description["image_shape"]
        shape = (channels, height, width)
        network = models.build(hyperparameters, normalization.input_shape(hyperparameters.input, shape), len(classes))
        network.load_state_dict(dict(weights))
        constants = _Constants(
            **{name: torch.tensor(values, device=device) for name, values in description["normalization"].items()}
        )
        return TrainedModel(
            network=network.to(device).to(memory_format=torch.channels_last).eval(),
            normalize=normalization.build(hyperparameters.input, constants),
            classes=classes,
            image_shape=shape,
            device=device,
        )

    @staticmethod
    def load(folder: ModelFolder, device: torch.device) -> TrainedModel:
        """Return the model that lies in a folder.

        Raises:
            ResultsDamagedError: A file is missing or not what was written.
        """
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
