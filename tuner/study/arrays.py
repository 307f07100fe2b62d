"""Arrays in results folders, one .npy file each."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.facts.errors import ResultsDamagedError, StorageError, relative_to_cwd
from tuner.journal.storage import write_atomically


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array, whole or not at all; its folder is made.

    Raises:
        StorageError: The folder cannot be written.
    """
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{relative_to_cwd(path.parent)} cannot be made: {error.strerror}") from error
    write_atomically(path, buffer.getvalue())


def read_array(path: Path) -> NDArray[Any]:
    """Return an array.

    Raises:
        ResultsDamagedError: It is not what was written.
    """
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise ResultsDamagedError(f"{relative_to_cwd(path)} cannot be read") from error
    return array
