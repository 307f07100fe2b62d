"""Which hyperparameters regularize, and the value that switches each off."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from tuner.hyperparameters.table import FIELDS, applying

#: Name to the value under which it does nothing. Gradient clipping is none: it keeps a run from breaking, and a
#: baseline that broke would say nothing. Neither are norms, without which many networks do not train.
REGULARIZERS: Mapping[str, Any] = MappingProxyType(
    {
        "dropout": 0.0,
        "dropout_conv": 0.0,
        "drop_path": 0.0,
        "mixup_alpha": 0.0,
        "cutmix_alpha": 0.0,
        "resized_crop": None,
        "crop_padding": 0,
        "flip": False,
        "vertical_flip": False,
        "rotation": 0.0,
        "trivial_augment": False,
        "brightness": 0.0,
        "contrast": 0.0,
        "saturation": 0.0,
        "hue": 0.0,
        "grayscale": 0.0,
        "blur": 0.0,
        "erasing": 0.0,
        "cutout": 0,
        "weight_decay": 0.0,
        "l1": 0.0,
        "l2": 0.0,
        "max_norm": None,
        "label_smoothing": 0.0,
        "ema_decay": None,
        "early_stop_patience": None,
    }
)

#: Those that say how a regularizer works, and do nothing where it is off.
DETAILS: frozenset[str] = frozenset(
    {
        "dropout_kind",
        "dropblock_size",
        "mix_prob",
        "mix_per",
        "l1_proximal",
        "decay_norms_and_biases",
        "early_stop_min_delta",
        "early_stop_metric",
    }
)


def switched_on(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return name to value of each regularizer that a configuration has on, in the order of ``REGULARIZERS``."""
    values = applying(config)
    return {name: values[name] for name, off in REGULARIZERS.items() if values.get(name, off) != off}


def without(config: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return a configuration with some regularizers off, and without what no longer applies then."""
    changed = {**config, **{name: REGULARIZERS[name] for name in names}}
    values = applying(changed)
    return {name: value for name, value in changed.items() if name in values or name not in FIELDS}
