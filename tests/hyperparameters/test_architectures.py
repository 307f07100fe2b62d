"""The table of architectures fits the hyperparameters, and docs show it."""

from __future__ import annotations

import pytest

from tuner.facts.errors import UsageError
from tuner.hyperparameters.architecture_table import architecture_table
from tuner.hyperparameters.architectures import ARCHITECTURES
from tuner.hyperparameters.table import resolve


@pytest.mark.parametrize("name", ARCHITECTURES)
class TestEachArchitecture:
    def test_its_own_defaults_are_the_hyperparameters(self, name: str) -> None:
        config, said = resolve({"model": name}).as_config(), ARCHITECTURES[name]
        assert (config.get("width"), config.get("depth"), config.get("norm")) == (said.width, said.depth, said.norm)

    def test_the_default_number_of_groups_divides_its_channels(self, name: str) -> None:
        if ARCHITECTURES[name].norm is not None:
            assert resolve({"model": name, "norm": "group"}).model.norm_groups > 1

    def test_pretrained_is_for_those_with_weights(self, name: str) -> None:
        if ARCHITECTURES[name].weights_side is None:
            with pytest.raises(UsageError, match="pretrained needs published weights"):
                resolve({"model": name, "pretrained": True})
        else:
            fixed = {"width", "depth", "norm", "norm_groups", "norm_momentum", "activation", "init", "init_mode"}
            assert not fixed & resolve({"model": name, "pretrained": True}).as_config().keys()

    def test_it_has_a_row_of_the_table(self, name: str) -> None:
        assert sum(line.startswith(f"| `{name}` |") for line in architecture_table()) == 1


@pytest.mark.parametrize(
    ("config", "good"),
    [
        ({"model": "resnet18", "norm_groups": 64}, True),
        ({"model": "resnet18", "norm_groups": 48}, False),
        ({"model": "densenet161", "norm_groups": 48}, True),
        ({"model": "resnet9", "width": 24, "norm_groups": 12}, True),
        ({"model": "resnet9", "width": 24}, False),
    ],
)
def test_groups_divide_the_channels_of_every_norm(config: dict[str, object], good: bool) -> None:
    if good:
        resolve({**config, "norm": "group"})
    else:
        with pytest.raises(UsageError, match="norm_groups must divide the channels of every norm"):
            resolve({**config, "norm": "group"})
