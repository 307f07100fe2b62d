"""Pretrained weights: found, downloaded and checked by the driver before anything starts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError

from tuner.datasets.cache import cache_folder
from tuner.facts.errors import StorageError, UsageError


@dataclass(frozen=True)
class Weights:
    """The pretrained weights of one architecture.

    Attributes:
        model: Its name.
        path: The file.
        fingerprint: The file's SHA-256 in hex.
    """

    model: str
    path: Path
    fingerprint: str


def find_weights(model: str, given: str | None = None) -> Weights:
    """Return an architecture's pretrained weights, downloaded once into the cache folder unless a file is given.

    Args:
        model: Its name.
        given: ``data.weights``.

    Raises:
        UsageError: There is no file and no network, or the file is damaged or of another architecture.
        StorageError: The cache folder cannot be written.
    """
    from tuner.training.models.pretrained import check_weights

    path = _published(model) if given is None else Path(given)
    check_weights(model, path)
    with path.open("rb") as file:
        return Weights(model, path, hashlib.file_digest(file, "sha256").hexdigest())


def _published(model: str) -> Path:
    """Return torchvision's file in the cache folder, downloaded if it is not there."""
    import torch

    from tuner.training.models.pretrained import published_file

    file = published_file(model)
    folder = cache_folder() / "weights"
    path = folder / file.name
    if path.exists():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Written beside its place, checked against the hash in its name, and renamed.
        torch.hub.download_url_to_file(file.url, str(path), hash_prefix=file.hash, progress=False)
    except (URLError, HTTPException, TimeoutError, ConnectionError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(
            f"the pretrained weights of {model} could not be downloaded ({reason}); put {file.url} into {folder} by "
            "hand, or name a file with data.weights"
        ) from error
    except OSError as error:
        raise StorageError(f"the cache folder {folder} cannot be written: {error.strerror or error}") from error
    return path
