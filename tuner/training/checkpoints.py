"""Everything that a trial needs to go on, in one file that is always whole."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from tuner.facts.errors import ResultsDamagedError
from tuner.training.state_files import read_state

FILE_NAME = "state.pt"


class Part(Protocol):
    """A part of a trial whose state is tensors, numbers and texts."""

    def state_dict(self) -> Any:
        """Return its state."""

    def load_state_dict(self, state: Any, /) -> Any:
        """Continue from a state."""


def save(folder: Path, epoch: int, parts: Mapping[str, Part]) -> None:
    """Replace the folder's checkpoint: written beside it, made durable, then renamed over it."""
    state = {"epoch": epoch, **{name: part.state_dict() for name, part in parts.items()}}
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f"{FILE_NAME}.tmp"
    with beside.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(folder / FILE_NAME)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def load(folder: Path, parts: Mapping[str, Part]) -> int:
    """Let all parts continue from the folder's checkpoint.

    Returns:
        The epoch that it was taken after; 0 where the folder holds none, and the parts stay as they are.

    Raises:
        ResultsDamagedError: The file is no checkpoint, or lacks a part.
    """
    if not (folder / FILE_NAME).exists():
        return 0
    state = _read(folder, {"epoch", *parts})
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return int(state["epoch"])


def best_weights(folder: Path) -> tuple[int, dict[str, Tensor]]:
    """Return the best epoch of the folder's checkpoint and the model's weights after it, on the CPU.

    Raises:
        ResultsDamagedError: There is no checkpoint, or it is damaged.
    """
    best = _read(folder, {"best"})["best"]
    return int(best["epoch"]), best["weights"]


def _read(folder: Path, needed: set[str]) -> dict[str, Any]:
    try:
        state = read_state(folder / FILE_NAME)
    except (OSError, ValueError) as error:
        raise ResultsDamagedError(f"the checkpoint {folder / FILE_NAME} cannot be read") from error
    held = state if isinstance(state, dict) else {}
    if lacking := needed - held.keys():
        raise ResultsDamagedError(f"the checkpoint {folder / FILE_NAME} lacks {', '.join(sorted(lacking))}")
    return held
