"""Changes of colour, each by an amount of its own for each image; torchvision's functional ones, batched.

All take and return uint8 [B, C, H, W]; amounts are float32 [B].
"""

from __future__ import annotations

import torch
from torch import Tensor

from tuner.training.augmentation.augment import for_pixels, to_bytes

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow and torchvision


def grey(images: Tensor) -> Tensor:
    """Return the luma of float images, [B, 1, H, W]; the channels' mean where they are not red, green and blue."""
    if images.shape[1] != 3:
        return images.mean(1, keepdim=True)
    red, green, blue = images.split(1, dim=1)
    luma: Tensor = _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue
    return luma


def brightened(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply each image by its factor."""
    return to_bytes(images * for_pixels(factor))


def contrasted(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply the distance of each image's pixels from its mean grey by its factor."""
    pixels = images.float()
    return to_bytes(torch.lerp(grey(pixels).mean((2, 3), keepdim=True), pixels, for_pixels(factor)))


def saturated(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply the distance of each pixel from its own grey by the image's factor."""
    pixels = images.float()
    return to_bytes(torch.lerp(grey(pixels), pixels, for_pixels(factor)))


def with_turned_hue(images: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue of each image by a share of the colour circle; value and saturation stay.

    The way back from hue h, saturation s and value v is v - v s max(0, min(k, 4 - k, 1)) with k = (n + 6 h) mod 6
    and n = 5, 3, 1 for red, green and blue.

    Args:
        images: uint8 [B, 3, H, W].
        turn: Shares of the circle, float32 [B].
    """
    pixels = images.float()
    value, least = pixels.amax(1, keepdim=True), pixels.amin(1, keepdim=True)
    chroma = value - least
    red, green, blue = pixels.split(1, dim=1)
    of_others = torch.where(value == green, 2 * chroma + blue - red, 4 * chroma + red - green)
    sixths = torch.where(value == red, green - blue, of_others) / chroma.clamp_min(1)
    n = torch.arange(5, 0, -2, device=images.device).view(1, 3, 1, 1)
    k = n + (sixths + for_pixels(6 * turn))
    k -= 6 * (k / 6).floor()  # the remainder, faster
    return to_bytes(value - chroma * torch.minimum(k, 4 - k).clamp_(0, 1))


def without_colour(images: Tensor) -> Tensor:
    """Replace all channels by the grey of each pixel."""
    return to_bytes(grey(images.float())).expand_as(images)
