"""Every regularizer can be switched off, and none is forgotten."""

from __future__ import annotations

import pytest

from tuner.hyperparameters.regularizers import DETAILS, REGULARIZERS, switched_on, without
from tuner.hyperparameters.table import FIELDS, resolve

_GROUPS = ("Dropout", "Mixing", "Augmentation", "Penalties")


def test_every_field_of_a_regularizing_group_is_known() -> None:
    """A new field there is a regularizer, or says how one works."""
    fields = {name for name, field in FIELDS.items() if field.group in _GROUPS}
    assert fields <= REGULARIZERS.keys() | DETAILS
    assert not REGULARIZERS.keys() & DETAILS
    assert REGULARIZERS.keys() | DETAILS <= FIELDS.keys()


@pytest.mark.parametrize("name", REGULARIZERS)
def test_off_is_allowed_and_is_the_default(name: str) -> None:
    assert FIELDS[name].problem(REGULARIZERS[name]) is None
    assert FIELDS[name].default == REGULARIZERS[name], "who says nothing has none"


def test_what_is_on() -> None:
    config = {"mixup_alpha": 0.2, "dropout": 0.0, "crop_padding": 4, "weight_decay": 1e-4, "lr": 0.1, "seed": 3}
    assert switched_on(config) == {"mixup_alpha": 0.2, "crop_padding": 4, "weight_decay": 1e-4}
    assert switched_on({}) == {}


def test_switching_off_leaves_a_configuration_that_can_be_trained() -> None:
    config = {"model": "resnet18", "dropout_conv": 0.2, "dropout_kind": "dropblock", "dropblock_size": 5, "cutout": 8}
    one = without(config, ["cutout"])
    assert one == {**config, "cutout": 0}
    everything = without(config, switched_on(config))
    assert switched_on(resolve(everything).as_config()) == {}
    assert everything["model"] == "resnet18"


def test_each_can_be_switched_off_alone_beside_what_says_how_it_works() -> None:
    config = {"l1": 1e-4, "l1_proximal": True, "mixup_alpha": 0.4, "mix_per": "image", "early_stop_patience": 3}
    assert len(switched_on(config)) == 3
    for name in switched_on(config):
        assert switched_on(resolve(without(config, [name])).as_config()).keys() == switched_on(config).keys() - {name}
