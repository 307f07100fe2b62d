"""Everything that is looked at after an epoch of a final training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from tuner.training.data import TrainingData
from tuner.training.diagnostics.activations import ActivationStatistics, measure_activations
from tuner.training.diagnostics.weights import WeightStatistics, measure_weights
from tuner.training.evaluation import clean_training_images
from tuner.training.normalization import Normalize
from tuner.training.observed import Observed

_IMAGES = 128  # one batch, the same after every epoch


@dataclass(frozen=True)
class EpochDiagnostics:
    """One epoch, layer by layer. The norm of the whole gradient and the share of clipped steps are in its report.

    Attributes:
        activations: Each call of an activation, in the order of the calls.
        grad_norms: Name of each trained parameter to its gradient's norm before clipping, averaged over steps.
        dropout_rates: Each concrete dropout by its name; empty with other kinds.
        weights: Each tensor of weights by its name.
    """

    activations: Mapping[str, ActivationStatistics]
    grad_norms: Mapping[str, float]
    dropout_rates: Mapping[str, float]
    weights: Mapping[str, WeightStatistics]

    def as_json(self) -> dict[str, Any]:
        """Return what ``json.dumps`` takes; numbers have 6 digits, which halves the file and no eye misses more."""
        found: dict[str, Any] = _short(asdict(self))
        return found


class Diagnostics:
    """Looks at what the loop's ``observe`` is given. It keeps nothing: whoever calls it keeps what it returns.

    Args:
        data: What is trained on; the batch is spread over the images of ``clean_training_images``, so over all classes.
        normalize: The trial's normalization.
    """

    def __init__(self, data: TrainingData, normalize: Normalize) -> None:
        clean, _ = clean_training_images(data)
        count = min(len(clean), _IMAGES)
        self._images = clean[torch.arange(count, device=clean.device) * len(clean) // count]
        self._normalize = normalize

    def __call__(self, observed: Observed) -> EpochDiagnostics:
        """Return what one epoch left behind; random numbers, weights and modes stay as they are."""
        return EpochDiagnostics(
            measure_activations(observed.model, self._normalize(self._images)),
            observed.grad_norms,
            observed.dropout_rates,
            measure_weights(observed.model),
        )


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _short(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_short(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
