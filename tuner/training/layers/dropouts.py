"""The kinds of dropout. A new one is one entry in ``DROPOUTS`` and one test class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from tuner.hyperparameters.dropout import Dropout
from tuner.training.layers.concrete import ConcreteDropout
from tuner.training.layers.dropblock import DropBlock
from tuner.training.layers.dropconnect import drop_weights
from tuner.training.layers.sites import MapSite, UnitSite
from tuner.training.layers.walk import replace

#: Puts dropout into a model: the model, the rate (above 0) and the further settings.
Filler = Callable[[nn.Module, float, Dropout], None]


@dataclass(frozen=True)
class DropoutKind:
    """What a kind of dropout does where the network's builder left its marks.

    Attributes:
        units: For the sites before fully connected layers.
        maps: For the sites after feature maps.
    """

    units: Filler
    maps: Filler


def _standard_units(model: nn.Module, p: float, settings: Dropout) -> None:
    replace(model, UnitSite, lambda _: nn.Dropout(p))


def _standard_maps(model: nn.Module, p: float, settings: Dropout) -> None:
    replace(model, MapSite, lambda _: nn.Dropout(p))


def _spatial_maps(model: nn.Module, p: float, settings: Dropout) -> None:
    replace(model, MapSite, lambda _: nn.Dropout2d(p))


def _dropblock_maps(model: nn.Module, p: float, settings: Dropout) -> None:
    replace(model, MapSite, lambda _: DropBlock(p, settings.dropblock_size))


def _dropconnect_units(model: nn.Module, p: float, settings: Dropout) -> None:
    drop_weights(model, UnitSite, nn.Linear, p)


def _dropconnect_maps(model: nn.Module, p: float, settings: Dropout) -> None:
    drop_weights(model, MapSite, nn.Conv2d, p)


def _concrete_units(model: nn.Module, p: float, settings: Dropout) -> None:
    replace(model, UnitSite, lambda _: ConcreteDropout(p, whole_maps=False))


def _concrete_maps(model: nn.Module, p: float, settings: Dropout) -> None:
    replace(model, MapSite, lambda _: ConcreteDropout(p, whole_maps=True))


#: Value of ``dropout_kind`` to what it does. Whole maps and regions exist in feature maps alone, so that with spatial
#: and dropblock the fully connected part has standard dropout.
DROPOUTS: dict[str, DropoutKind] = {
    "standard": DropoutKind(_standard_units, _standard_maps),
    "spatial": DropoutKind(_standard_units, _spatial_maps),
    "dropblock": DropoutKind(_standard_units, _dropblock_maps),
    "dropconnect": DropoutKind(_dropconnect_units, _dropconnect_maps),
    "concrete": DropoutKind(_concrete_units, _concrete_maps),
}


def fill_sites(model: nn.Module, settings: Dropout) -> None:
    """Put dropout into a model at the sites of each part whose rate is above 0; the others stay as they are."""
    kind = DROPOUTS[settings.dropout_kind]
    if settings.dropout > 0:
        kind.units(model, settings.dropout, settings)
    if settings.dropout_conv > 0:
        kind.maps(model, settings.dropout_conv, settings)
