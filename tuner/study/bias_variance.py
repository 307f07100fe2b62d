"""How much of the error of probabilities is the same for every seed, and how much changes with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Decomposition:
    """The mean squared error of probabilities over seeds, summed over classes and averaged over images.

    E_s ||p_s - y||^2 = ||E_s p_s - y||^2 + E_s ||p_s - E_s p_s||^2, for the one-hot label y. Over S seeds the second
    sum is too small by the factor (S - 1) / S, since the mean lies in the middle of the same S, and the first is too
    large by as much. Both are corrected: variance is the second times S / (S - 1), and bias_and_noise the rest.

    Attributes:
        mean_squared_error: Of the probabilities, from 0 to 2.
        bias_and_noise: What all seeds have in common; the noise of the labels cannot be told from the bias.
        variance: What changes with the seed, which is that of the training and that of the split.
    """

    mean_squared_error: float
    bias_and_noise: float
    variance: float


def decompose(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> Decomposition:
    """Split the mean squared error of several models on the same images.

    Args:
        probabilities: [S, N, C] with S >= 2 models.
        labels: [N].
    """
    seeds = len(probabilities)
    assert seeds >= 2, "a variance needs two"
    predicted = probabilities.astype(np.float64)
    error = predicted - np.eye(predicted.shape[2])[labels]
    mean_squared_error = float((error**2).sum(2).mean())
    variance = float(((predicted - predicted.mean(0)) ** 2).sum(2).mean() * seeds / (seeds - 1))
    return Decomposition(mean_squared_error, mean_squared_error - variance, variance)
