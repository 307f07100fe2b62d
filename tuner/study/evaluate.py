"""A trained model on any data set of its classes: whether they fit, and what it reaches."""

from __future__ import annotations

import numpy as np
import torch

from tuner.datasets.contents import Images, Labels
from tuner.datasets.prepared import PreparedData
from tuner.facts.errors import UsageError
from tuner.leaderboard.formats import spelled
from tuner.study.trained_model import TrainedModel
from tuner.training.scores import Scores, score


def labels_by_name(data: PreparedData, model: TrainedModel) -> Labels:
    """Return the model's label for each label of a data set: classes are matched by name, their order may differ.

    Raises:
        UsageError: A class that the model does not know, or images of another size or mode; all unknown classes are
            named.
    """
    known = {name: label for label, name in enumerate(model.classes)}
    if unknown := [name for name in data.classes if name not in known]:
        knows = ", ".join(map(spelled, model.classes))
        raise UsageError(f"the model does not know {_listed('class', list(map(spelled, unknown)))}; it knows {knows}")
    if data.shape != model.image_shape:
        raise UsageError(f"the images are {_words(data.shape)}, and the model takes {_words(model.image_shape)}")
    return np.array([known[name] for name in data.classes], np.int64)


def evaluate(model: TrainedModel, images: Images, labels: Labels, by_name: Labels) -> Scores:
    """Measure a model on one split of a data set.

    Args:
        model: The model.
        images: uint8 [N, C, H, W], N >= 1.
        labels: int64 [N], the data set's own.
        by_name: What ``labels_by_name`` says.
    """
    probabilities = model.probabilities(torch.from_numpy(np.array(images)))
    return score(probabilities, torch.from_numpy(by_name[labels]), model.classes)


def _listed(what: str, names: list[str]) -> str:
    return f"the {what} {names[0]}" if len(names) == 1 else f"the {what}es {', '.join(names)}"


def _words(shape: tuple[int, int, int]) -> str:
    channels, height, width = shape
    mode = {1: "greyscale", 3: "RGB"}.get(channels, f"of {channels} channels")
    return f"{width}x{height} pixels and {mode}"
