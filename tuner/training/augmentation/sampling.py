"""Reading images at moved places: where to read, and bilinear or nearest values there.

Places are rows and columns in pixels, 0 the centre of the first one; float32, of a shape that broadcasts to [B, H, W].
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from tuner.training.augmentation.augment import to_bytes


def reflected(index: Tensor, length: int) -> Tensor:
    """Return each integer index folded back into 0 to length - 1, the border pixel itself not repeated."""
    period = max(1, 2 * (length - 1))
    index = index % period
    return torch.minimum(index, period - index)


def pixel_grid(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return rows [1, height, 1] and columns [1, 1, width]."""
    rows = torch.arange(height, dtype=torch.float32, device=device)
    columns = torch.arange(width, dtype=torch.float32, device=device)
    return rows.view(1, -1, 1), columns.view(1, 1, -1)


def rotated_grid(angle: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return where each pixel comes from when an image turns counter-clockwise around its centre.

    Args:
        angle: Radians, float32 [B].
        height: Rows of the images.
        width: Columns of the images.
    """
    rows, columns = pixel_grid(height, width, angle.device)
    middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
    down, right = rows - middle_row, columns - middle_column
    cos, sin = angle.cos().view(-1, 1, 1), angle.sin().view(-1, 1, 1)
    return middle_row + sin * right + cos * down, middle_column + cos * right - sin * down


def bilinear(images: Tensor, rows: Tensor, columns: Tensor, fill: Tensor) -> Tensor:
    """Return uint8 images read between pixels.

    Args:
        images: uint8 [B, C, H, W].
        rows: Where each pixel of the result comes from.
        columns: Likewise.
        fill: What lies outside, uint8 [1, C, 1, 1].
    """
    height, width = images.shape[2:]
    shape = (len(images), height, width)
    across, down = (2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1  # -1 and 1 are the outer edges
    grid = torch.stack([across.expand(shape), down.expand(shape)], dim=3)
    offset = fill.float()  # outside is zero for grid_sample
    moved = functional.grid_sample(images.float().sub_(offset), grid, align_corners=False)
    return to_bytes(moved.add_(offset))


def nearest(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return uint8 images read at the nearest pixels, black outside; arguments as for ``bilinear``."""
    count, channels, height, width = images.shape
    rows, columns = rows.round().long(), columns.round().long()
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    pixels = (rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)).view(count, 1, height * width)
    read = images.flatten(2).gather(2, pixels.expand(-1, channels, -1)).view_as(images)
    return read.mul_(inside[:, None])
