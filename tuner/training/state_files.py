"""Files of tensors that ``torch.save`` made."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch


def read_state(path: Path) -> object:
    """Return what a file holds, on the CPU. It is data: nothing in it is ever run.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is damaged, or holds more than tensors, numbers and texts.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # about its own insides, to people who cannot act on them
            return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # on damage PyTorch raises whatever the first wrong byte leads to
        raise ValueError(f"{path} is damaged, or was not made by torch.save") from error
