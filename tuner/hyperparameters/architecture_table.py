"""The table of architectures in docs/training.md."""

from __future__ import annotations

from collections.abc import Iterator

from tuner.hyperparameters.architectures import (
    ARCHITECTURES,
    FULL_STEM_SIDE,
    PRETRAINED_SMALLEST_SIDE,
    Architecture,
)

_INTRODUCTION = f"""\
`activation` and `init` apply to every model, `width`, `depth` and `norm` where the table gives their default, and
none of the five where `pretrained` is true, since the weights were trained with what they have. The column
`pretrained` gives the side of the images that the weights were trained on; they take images from
{PRETRAINED_SMALLEST_SIDE} pixels on, and are worth most near their own side. `norm_groups` must divide the number in
its column.

Torchvision's networks halve an image five times. Where a side is below {FULL_STEM_SIDE} pixels the first two halvings
are left out (vgg: the last), so that 32x32 ends as 4x4, and a first convolution wider than 3x3 becomes one of
3x3. Pretrained networks keep them all. The last layer is replaced by one for the classes of the data. Whatever
dropout and stochastic depth the networks have gives way to `dropout`, `dropout_conv` and `drop_path`.
"""

_HEADINGS = (
    *("model", "width", "depth", "norm", "norm_groups", "smallest side", "pretrained", "feature maps"),
    "residual branches",
)


def architecture_table() -> Iterator[str]:
    """Yield the lines of the table, with what must be known to read it."""
    yield _INTRODUCTION
    yield _line(_HEADINGS)
    yield _line(["---"] * len(_HEADINGS))
    for name, item in ARCHITECTURES.items():
        yield _line(_cells(name, item))
    yield ""


def _cells(name: str, item: Architecture) -> tuple[str, ...]:
    return (
        f"`{name}`",
        _or_nothing(item.width),
        _or_nothing(item.depth),
        _or_nothing(item.norm),
        "" if item.norm is None else str(item.norm_channels or "`width`"),
        str(item.smallest_side or "2^`depth`"),
        _or_nothing(item.weights_side),
        "yes" if item.feature_maps else "",
        "yes" if item.branches else "",
    )


def _or_nothing(value: object) -> str:
    return "" if value is None else str(value)


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"
