"""Everything that a trial needs to go on, in one file that is always whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from tuner.facts.errors import ResultsDamagedError, StorageError, relative_to_cwd
from tuner.journal.storage import make_durable
from tuner.training.state_files import read_state

FILE_NAME = "state.pt"


class Part(Protocol):
    """A part of a trial whose state is tensors, numbers and texts."""

    def state_dict(self) -> Any:
        """Return its state."""

    def load_state_dict(self, state: Any, /) -> Any:
        """Continue from a state."""


def save(folder: Path, epoch: int, parts: Mapping[str, Part]) -> None:
    """Replace the folder's checkpoint: written beside it, made durable, then renamed over it.

    Raises:
        StorageError: It cannot be written; the checkpoint before it is as it was.
    """
    state = {"epoch": epoch, **{name: part.state_dict() for name, part in parts.items()}}
    beside = folder / f"{FILE_NAME}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(folder / FILE_NAME)
        make_durable(folder)
    except (OSError, RuntimeError) as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        if (refused := _storage_error(error)) is None:
            raise
        place = relative_to_cwd(folder / FILE_NAME)
        raise StorageError(f"the checkpoint {place} cannot be written: {refused.strerror or refused}") from error


def _storage_error(error: BaseException | None) -> OSError | None:
    """Return what the storage said: PyTorch's writer, when it closes, raises a RuntimeError over it."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


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
