"""What a trained model says about images: a probability for each class."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tuner.facts.errors import UsageError
from tuner.training.evaluation import eval_mode
from tuner.training.normalization import Normalize


@torch.no_grad()
def predict_probabilities(model: nn.Module, images: Tensor, normalize: Normalize, *, batch_size: int = 500) -> Tensor:
    """Return the probability of each class for each image, which gets normalization alone.

    The softmax is taken in double precision: in single precision a class 104 nats below the best gets 0, and where it
    is the true one the cross-entropy would be infinite. May be called under autocast.

    Args:
        model: From normalized images to logits [B, classes]; left in the mode that it was in.
        images: uint8 [N, C, H, W] with N >= 1, on the model's device.
        normalize: The normalization that the model was trained with.
        batch_size: Images at a time; bounds memory.

    Returns:
        float64 [N, classes] on the CPU. The device is waited for once, at the end.

    Raises:
        UsageError: A logit is not finite.
    """
    with eval_mode(model):
        logits = torch.cat([model(normalize(some)) for some in images.split(batch_size)]).cpu().double()
    if not logits.isfinite().all():
        raise UsageError("the model's outputs are not finite numbers; it cannot be used")
    return logits.softmax(1)
