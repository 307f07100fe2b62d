"""Torchvision's pretrained weights: which file they are, and how a file gets into a network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import torch
import torchvision
from torch import Tensor, nn

from tuner.facts.errors import UsageError
from tuner.hyperparameters.architectures import ARCHITECTURES
from tuner.training.state_files import read_state

# Torchvision's first densenet files write norm.1 where its networks have norm1.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])(?=\.)")


@dataclass(frozen=True)
class PublishedFile:
    """A file of torchvision's weights.

    Attributes:
        architecture: What torchvision calls it.
        name: Of the file, such as ``resnet18-f37072fd.pth``.
        url: Where torchvision keeps it.
        hash: The first digits of its SHA-256, which its name holds.
    """

    architecture: str
    name: str
    url: str
    hash: str


def torchvision_name(model: str) -> str:
    """Return what torchvision calls an architecture."""
    return f"{model}_bn" if ARCHITECTURES[model].family == "vgg" else model


def published_file(model: str) -> PublishedFile:
    """Return the file of an architecture's DEFAULT weights."""
    architecture = torchvision_name(model)
    url = torchvision.models.get_model_weights(architecture).DEFAULT.url
    name = Path(urlsplit(url).path).name
    return PublishedFile(architecture, name, url, Path(name).stem.rpartition("-")[2])


def check_weights(model: str, path: Path) -> None:
    """Raise ``UsageError`` where a file does not hold an architecture's weights."""
    load_body(torchvision.models.get_model(torchvision_name(model), weights=None), model, path)


def load_body(network: nn.Module, model: str, path: Path) -> None:
    """Load all weights but those of the last linear layer, which need not fit.

    Args:
        network: As torchvision builds it.
        model: Its name, for people.
        path: A file that ``torch.save`` made of a state dict.

    Raises:
        UsageError: The file is missing, damaged, or of another architecture.
    """
    head = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)][-1]
    state = {name: value for name, value in _read(path).items() if not name.startswith(f"{head}.")}
    own = network.state_dict()
    # Files that are older than this counter of batches lack it; nothing reads it while momentum is a number.
    missing = [
        n for n in own if n not in state and not n.startswith(f"{head}.") and not n.endswith("num_batches_tracked")
    ]
    unknown = [name for name in state if name not in own]
    reshaped = [name for name in state if name in own and state[name].shape != own[name].shape]
    for names, wrong in ((missing, "lacks"), (unknown, "has besides"), (reshaped, "has in another shape")):
        if names:
            raise UsageError(f"{path} holds no weights of {model}: it {wrong} {names[0]}")
    network.load_state_dict(state, strict=False)


def _read(path: Path) -> Mapping[str, Tensor]:
    try:
        state = read_state(path)
    except OSError as error:
        raise UsageError(f"the file of weights {path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"{path} is damaged, or was not made by torch.save of a state dict") from error
    if not isinstance(state, Mapping) or not all(map(_is_entry, state.items())):
        raise UsageError(f"{path} is no state dict: it must hold names and plain tensors alone")
    if wrong := [name for name, value in state.items() if not value.isfinite().all()]:
        raise UsageError(f"{path} is damaged: {wrong[0]} holds numbers that are not finite")
    return {_OLD_DENSENET.sub(r"\1\2", name): value for name, value in state.items()}


def _is_entry(entry: tuple[object, object]) -> bool:
    """Return whether a name and a tensor can be loaded: one that is sparse, say, cannot be copied into a layer."""
    name, value = entry
    if not isinstance(name, str) or not isinstance(value, Tensor):
        return False
    unusual = value.is_quantized or value.is_meta or value.is_nested or value.is_complex()
    return value.layout is torch.strided and not unusual
