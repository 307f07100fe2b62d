"""All networks by name. A new one is one builder here, one entry in the table of architectures and one test class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import nn

from tuner.facts.errors import UsageError
from tuner.hyperparameters.architectures import ImageShape, image_problem
from tuner.hyperparameters.table import Hyperparameters
from tuner.training.layers.adapt import adapt
from tuner.training.models.cnn import cnn
from tuner.training.models.finetuning import freeze_backbone
from tuner.training.models.mlp import mlp
from tuner.training.models.published import published
from tuner.training.models.resnet9 import resnet9
from tuner.training.models.vit import vit_small

#: Name to builder of the networks that are our own; torchvision's others are built by ``published``.
MODELS: dict[str, Callable[[Hyperparameters, ImageShape, int], nn.Module]] = {
    "mlp": mlp,
    "cnn": cnn,
    "resnet9": resnet9,
    "vit_small": vit_small,
}


def build(
    hyperparameters: Hyperparameters, image_shape: ImageShape, classes: int, weights: Path | None = None
) -> nn.Module:
    """Return the network on the CPU, with fresh weights drawn from PyTorch's global generator.

    Norms, activations, initial weights and dropout are what the hyperparameters say. A frozen backbone asks for no
    gradients.

    Args:
        hyperparameters: What to build.
        image_shape: Of the images that it is given, after resizing.
        classes: Number of logits.
        weights: The file of a pretrained network's weights. None is for a network whose state is loaded next: one
            with ``pretrained`` has random weights then.

    Raises:
        UsageError: The images do not fit the network, or the file its architecture.
    """
    settings = hyperparameters.model
    if (problem := image_problem(vars(settings), image_shape)) is not None:
        raise UsageError(problem)
    if settings.model in MODELS:
        model = MODELS[settings.model](hyperparameters, image_shape, classes)
    else:
        model = published(hyperparameters, image_shape, classes, weights)
    model = adapt(model, hyperparameters)
    if settings.freeze_backbone:
        freeze_backbone(model)
    return model


def parameter_count(model: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
