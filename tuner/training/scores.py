"""What a finished model is measured by, beyond the numbers of each epoch; `tuner train` and `tuner evaluate` ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics.functional.classification import multiclass_calibration_error, multiclass_confusion_matrix

_CALIBRATION_BINS = 15  # Guo et al. 2017
_BELOW_ONE = 1 - 2**-24  # in float32, which torchmetrics bins in
_SMALLEST_PROBABILITY = torch.finfo(torch.float64).tiny  # a true class that got 0 costs 708 nats, not infinitely many


@dataclass(frozen=True)
class ClassScores:
    """What a model does with one class. What would divide by zero is 0.

    Attributes:
        name: The class.
        support: Images of it.
        precision: Share of the images that are predicted to be of it and are.
        recall: Share of the images of it that are predicted to be.
        f1: Harmonic mean of precision and recall.
    """

    name: str
    support: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Scores:
    """What a model does on one set of images. Every mean is over images, not batches.

    Attributes:
        images: How many there are.
        accuracy: Share of images whose most probable class is the true one.
        loss: Mean cross-entropy, in nats.
        rmse: Root of the mean over images and classes of (probability - one-hot label)^2.
        calibration_error: Expected calibration error (Guo et al. 2017, equation 3; 15 bins of equal width): how far
            the probability of the predicted class is from its accuracy, on average.
        macro_precision: Mean over the classes that occur among labels or predictions.
        macro_recall: Likewise.
        macro_f1: Likewise; the mean of the classes' F1, not the F1 of the means.
        classes: Each class on its own, in the order of the labels.
        confusion_matrix: Images by true class (rows) and predicted class (columns).
    """

    images: int
    accuracy: float
    loss: float
    rmse: float
    calibration_error: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    classes: tuple[ClassScores, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]

    def as_json(self) -> dict[str, Any]:
        """Return what ``json.dumps`` takes, under the names above."""
        return asdict(self)


def score(probabilities: Tensor, labels: Tensor, classes: Sequence[str]) -> Scores:
    """Measure probabilities against labels.

    torchmetrics counts; its own quotients are float32, in which nine of ten reads 0.8999999761581421.

    Args:
        probabilities: float64 [N, C] on the CPU, N >= 1, each row summing to 1.
        labels: int64 [N] on the CPU, each from 0 to C - 1.
        classes: C names; one or more of them may have no images.
    """
    images, count = probabilities.shape
    assert images == len(labels) > 0 and count == len(classes)
    counts = multiclass_confusion_matrix(probabilities.argmax(1), labels, count).tolist()
    each = tuple(_class_scores(name, index, counts) for index, name in enumerate(classes))
    occurring = [one for index, one in enumerate(each) if one.support or any(row[index] for row in counts)]
    one_hot = functional.one_hot(labels, count)
    true_class = probabilities.gather(1, labels[:, None]).clamp(min=_SMALLEST_PROBABILITY)
    # torchmetrics gives a confidence of exactly 1 a sixteenth bin; it belongs into the last of the fifteen.
    error = multiclass_calibration_error(
        probabilities.clamp(0.0, _BELOW_ONE), labels, count, n_bins=_CALIBRATION_BINS, norm="l1"
    )
    return Scores(
        images=images,
        accuracy=sum(counts[index][index] for index in range(count)) / images,
        loss=-true_class.log().mean().item(),
        rmse=(probabilities - one_hot).square().mean().sqrt().item(),
        calibration_error=error.item(),
        macro_precision=_mean([one.precision for one in occurring]),
        macro_recall=_mean([one.recall for one in occurring]),
        macro_f1=_mean([one.f1 for one in occurring]),
        classes=each,
        confusion_matrix=tuple(map(tuple, counts)),
    )


def _class_scores(name: str, index: int, counts: Sequence[Sequence[int]]) -> ClassScores:
    hits = counts[index][index]
    support, predicted = sum(counts[index]), sum(row[index] for row in counts)
    return ClassScores(
        name=name,
        support=support,
        precision=_share(hits, predicted),
        recall=_share(hits, support),
        f1=_share(2 * hits, support + predicted),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
