"""Whether a training over-fits or under-fits, seen from its curves alone, never from the size of the network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean, median

#: What the verdict is made from; both losses are plain cross-entropy on clean images in eval mode, so they compare.
CURVES = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")

_FEWEST_EPOCHS = 5  # fewer do not tell a trend from noise

# A loss has changed if it moved by each of these three.
_CHANGE = 0.05  # of its value: less is no reason to do anything
_SMALLEST_CHANGE = 0.01  # nats: a loss of 0.001 that doubles has done no harm
_DEVIATIONS = 3  # of the noise from epoch to epoch; a flat curve of 100 epochs passes this about once in 100

_LAST_PART = 4  # "still falls" compares the end with what it was a quarter of the epochs before
_FITTED = 0.9  # a training accuracy below this is low
_GAP = 0.05  # a training accuracy that is less above the validation accuracy has not learned by heart


class Fit(StrEnum):
    """How a network fits its training images, compared with others."""

    OVERFITTING = "over-fitting"
    UNDERFITTING = "under-fitting"
    FINE = "fine"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Verdict:
    """A finding and the numbers that it rests on.

    Attributes:
        fit: The finding.
        reason: One plain sentence, without a final full stop.
    """

    fit: Fit
    reason: str

    def __str__(self) -> str:
        """Return both, for a line of a page."""
        return f"{self.fit}: {self.reason}"


def judge(epochs: Sequence[Mapping[str, float | None]]) -> Verdict | None:
    """Return what the curves say; None where they do not hold all four of ``CURVES``.

    Over-fitting: the validation loss has risen above its minimum while the training loss fell. Under-fitting: the
    training accuracy is low, and either both losses still fall or the validation accuracy is no worse.

    Args:
        epochs: What each epoch reported, in their order from epoch 1; losses in nats, accuracies as shares.
    """
    curves = [_reported(epochs, name) for name in CURVES]
    if any(len(curve) < len(epochs) for curve in curves):
        return None
    if len(epochs) < _FEWEST_EPOCHS:
        return Verdict(Fit.UNDECIDED, f"too few epochs to see a trend, {len(epochs)} of at least {_FEWEST_EPOCHS}")
    training, validation = _Loss(curves[0]), _Loss(curves[1])
    train_accuracy, val_accuracy = fmean(curves[2][-2:]), fmean(curves[3][-2:])
    return (
        _overfitting(training, validation)
        or _underfitting(training, validation, train_accuracy, val_accuracy)
        or Verdict(
            Fit.FINE,
            f"in the last epochs the validation loss {validation.end:.3g} stays near its lowest value, "
            f"and the training accuracy {train_accuracy:.3g} is {_points(train_accuracy - val_accuracy)} "
            "the validation accuracy",
        )
    )


class _Loss:
    """A loss over the epochs, smoothed over three, with the size of a change that counts."""

    def __init__(self, values: Sequence[float]) -> None:
        self.smooth = [fmean(values[max(0, index - 1) : index + 2]) for index in range(len(values))]
        self.end = self.smooth[-1]
        self.lowest = min(range(len(values)), key=self.smooth.__getitem__)
        # Second differences are blind to a straight trend; of independent noise they have 6 times its variance. The
        # median leaves out the steep beginning, 0.6745 makes it the deviation of a normal distribution.
        bends = [abs(one - 2 * two + three) for one, two, three in zip(values, values[1:], values[2:], strict=False)]
        self._noise = median(bends) / (0.6745 * math.sqrt(6))

    def rises(self, since: int) -> bool:
        """Return whether it ends clearly above what it was at an index."""
        return self.end - self.smooth[since] > self._least(self.smooth[since])

    def still_falls(self) -> bool:
        """Return whether it fell clearly in the last part of the epochs."""
        before = self.smooth[-1 - max(1, len(self.smooth) // _LAST_PART)]
        return before - self.end > self._least(before)

    def _least(self, value: float) -> float:
        return max(_CHANGE * value, _SMALLEST_CHANGE, _DEVIATIONS * self._noise)


def _overfitting(training: _Loss, validation: _Loss) -> Verdict | None:
    lowest = validation.lowest
    if not validation.rises(since=lowest):
        return None
    rose = (
        f"the validation loss rose from {validation.smooth[lowest]:.3g} at epoch {lowest + 1} to {validation.end:.3g} "
        "in the last epochs"
    )
    if training.end < training.smooth[lowest]:
        fell = f"while the training loss fell from {training.smooth[lowest]:.3g} to {training.end:.3g}"
        return Verdict(Fit.OVERFITTING, f"{rose}, {fell}")
    return Verdict(
        Fit.UNDECIDED, f"{rose}, but the training loss did not fall either; the learning rate may be too high"
    )


def _underfitting(training: _Loss, validation: _Loss, train_accuracy: float, val_accuracy: float) -> Verdict | None:
    if train_accuracy >= _FITTED:
        return None
    low = f"the training accuracy of the last epochs is only {train_accuracy:.3g}"
    if training.still_falls() and validation.still_falls():
        losses = f"training {training.end:.3g}, validation {validation.end:.3g}"
        return Verdict(Fit.UNDERFITTING, f"{low}, and both losses still fall ({losses}); more epochs would help")
    if train_accuracy - val_accuracy < _GAP:
        return Verdict(
            Fit.UNDERFITTING,
            f"{low}, the validation accuracy {val_accuracy:.3g} is close to it, and the losses hardly fall any more; "
            "network, learning rate or regularization hold it back, unless the labels allow no more",
        )
    return None


def _reported(epochs: Sequence[Mapping[str, float | None]], name: str) -> list[float]:
    values = (epoch.get(name) for epoch in epochs)
    return [value for value in values if value is not None and math.isfinite(value)]


def _points(gap: float) -> str:
    return f"{100 * abs(gap):.1f} points {'above' if gap >= 0 else 'below'}"
