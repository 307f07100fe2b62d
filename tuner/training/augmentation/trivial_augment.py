"""TrivialAugment (wide): one of 14 changes for each image, of random strength (Müller and Hutter 2021).

Each change is one of three sorts: pixels move, pixels are mixed with another image made from them, or each byte is
replaced by another. All images of a batch pass through all three; a sort that a change does not belong to leaves its
image as it is. So nothing waits for the device to say which image drew which change.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tuner.hyperparameters.augmentation import Augmentation
from tuner.training.augmentation.augment import Augment, for_pixels, to_bytes
from tuner.training.augmentation.colour import grey
from tuner.training.augmentation.sampling import nearest, pixel_grid, rotated_grid
from tuner.training.data import TrainingData

#: In the order of their numbers.
CHANGES = (
    *("identity", "shear_x", "shear_y", "translate_x", "translate_y", "rotate"),
    *("brightness", "colour", "contrast", "sharpness"),
    *("posterize", "solarize", "autocontrast", "equalize"),
)
STEPS = 30  # strengths go from 0 to this, both included
_SHEAR, _TRANSLATION, _ROTATION, _FACTOR = 0.99, 32.0, 135.0, 0.99  # the wide space: pixels a pixel, pixels, degrees


def trivial_augment(settings: Augmentation, data: TrainingData) -> Augment | None:
    """Draw change, strength and direction for each image."""
    return _augment if settings.trivial_augment else None


def _augment(images: Tensor, generator: torch.Generator) -> Tensor:
    change, step, forward = (
        torch.randint(end, (len(images),), generator=generator, device=generator.device)
        for end in (len(CHANGES), STEPS + 1, 2)
    )
    return changed(images, change, step, 2 * forward - 1)


def changed(images: Tensor, change: Tensor, step: Tensor, sign: Tensor) -> Tensor:
    """Return uint8 images, each after its change.

    Args:
        images: uint8 [B, C, H, W].
        change: Indices of ``CHANGES``, int64 [B].
        step: Strengths from 0 to ``STEPS``, int64 [B].
        sign: -1 or 1, int64 [B]: left or right, darker or lighter; the last four changes have no direction.
    """
    chosen = {name: change == number for number, name in enumerate(CHANGES)}
    strength = sign * step / STEPS
    return _replaced(_mixed(_moved(images, chosen, strength), chosen, strength), chosen, step)


def _moved(images: Tensor, chosen: dict[str, Tensor], strength: Tensor) -> Tensor:
    """Shear, translate and rotate; what comes in is black."""
    height, width = images.shape[2:]

    def amount(name: str, largest: float) -> Tensor:
        return (chosen[name] * strength * largest).view(-1, 1, 1)

    down, right = pixel_grid(height, width, images.device)
    rows, columns = rotated_grid(amount("rotate", math.radians(_ROTATION)).flatten(), height, width)
    rows = rows + amount("shear_y", _SHEAR) * (right + 0.5) - amount("translate_y", _TRANSLATION).trunc()
    columns = columns + amount("shear_x", _SHEAR) * (down + 0.5) - amount("translate_x", _TRANSLATION).trunc()
    return nearest(images, rows, columns)


def _mixed(images: Tensor, chosen: dict[str, Tensor], strength: Tensor) -> Tensor:
    """Change brightness, colour, contrast and sharpness: other + factor (image - other)."""
    pixels = images.float()
    grey_pixels = grey(pixels)
    greyish = torch.where(for_pixels(chosen["contrast"]), grey_pixels.mean((2, 3), keepdim=True), grey_pixels)
    other = torch.where(for_pixels(chosen["brightness"]), 0.0, greyish)
    other = torch.where(for_pixels(chosen["sharpness"]), _smoothed(pixels), other)
    takes_part = chosen["brightness"] | chosen["colour"] | chosen["contrast"] | chosen["sharpness"]
    return to_bytes(torch.lerp(other, pixels, for_pixels(1 + takes_part * strength * _FACTOR)))


def _replaced(images: Tensor, chosen: dict[str, Tensor], step: Tensor) -> Tensor:
    """Posterize, solarize, autocontrast and equalize, each a table of what becomes of a byte: int64 [B, C, 256]."""
    values = images.flatten(2).long()
    counts = torch.zeros(*values.shape[:2], 256, dtype=torch.int64, device=images.device)
    counts.scatter_add_(2, values, torch.ones((), dtype=torch.int64, device=images.device).expand_as(values))
    byte = torch.arange(256, device=images.device)
    step = step.view(-1, 1, 1)
    tables = {
        "posterize": byte & -(2 ** (6 * step / STEPS).round().long()),  # 8 to 2 bits stay
        "solarize": torch.where(byte >= 255 - 255 * step / STEPS, 255 - byte, byte),
        "autocontrast": _autocontrast_table(counts),
        "equalize": _equalize_table(counts),
    }
    table = byte.expand_as(counts)
    for name, replacement in tables.items():
        table = torch.where(chosen[name].view(-1, 1, 1), replacement, table)
    return table.to(torch.uint8).gather(2, values).view_as(images)


def _smoothed(pixels: Tensor) -> Tensor:
    """Return float images under Pillow's SMOOTH filter: weights 1, the middle 5, over 13; the outermost pixels stay."""
    rows = pixels[:, :, :-2] + pixels[:, :, 1:-1] + pixels[:, :, 2:]
    squares = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    inside = pixels[:, :, 1:-1, 1:-1]
    smoothed = pixels.clone()
    smoothed[:, :, 1:-1, 1:-1] = ((squares + 4 * inside) / 13).round()
    return smoothed


def _autocontrast_table(counts: Tensor) -> Tensor:
    """Stretch what occurs in a channel to 0 to 255; a channel of one value stays."""
    present = counts > 0
    low = present.int().argmax(2, keepdim=True)
    high = 255 - present.flip(2).int().argmax(2, keepdim=True)
    byte = torch.arange(256, device=counts.device)
    stretched = ((byte - low) * 255 // (high - low).clamp_min(1)).clamp(0, 255)
    return torch.where(high > low, stretched, byte)


def _equalize_table(counts: Tensor) -> Tensor:
    """Make the values of a channel as frequent as each other, as Pillow's ``equalize`` counts them."""
    byte = torch.arange(256, device=counts.device)
    highest = (counts > 0).long().mul(byte).amax(2, keepdim=True)
    share = (counts.sum(2, keepdim=True) - counts.gather(2, highest)) // 255
    below = counts.cumsum(2) - counts
    equalized = ((below + share // 2) // share.clamp_min(1)).clamp_max(255)
    return torch.where(share > 0, equalized, byte)
