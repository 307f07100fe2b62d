"""docs/training.md, made from the table: ``python -m tuner.hyperparameters.document > docs/training.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby

from tuner.facts.fields import Field, condition
from tuner.hyperparameters.architecture_table import architecture_table
from tuner.hyperparameters.table import FIELDS, GROUPS

_INTRODUCTION = """\
# The training

Everything below is a hyperparameter of the built-in trainable: it may stand under `parameters:` of a search
file, fixed or searched. This page is made from the code by `python -m tuner.hyperparameters.document`; `tuner
schema` gives editors the same facts.

A parameter that applies only under a condition needs that condition in its `when:` wherever the condition may
fail. A parameter that is left out has its default where it applies.

## What an epoch reports

`val_loss` is plain cross-entropy on the validation images, without smoothing, mixing or penalties, so that
trials compare. `train_loss` and `train_accuracy` are measured in eval mode on clean training images: a fixed
stratified subset, as many as there are validation images and at most 5,000. `objective` is what was
optimized, penalties included, but without the optimizer's own `weight_decay`. `generalization_gap` is
`train_accuracy - val_accuracy`. `grad_norm` is the mean norm before clipping, `clip_share` the share of clipped
steps, and `lr_now` the learning rate of the epoch's last step. With `ema_decay` the average of the weights is what
is measured, and what is kept as the best weights.

With `precision: float16` there is also `skip_share`, the share of steps that were skipped because their gradient
overflowed, and with concrete dropout `concrete_dropout`, the mean of the learned rates; the leaderboard calls them
`metric_skip_share` and `metric_concrete_dropout`.

A loss or gradient that is not finite ends the trial as diverged before it changes a weight. A last batch of a
single image joins the batch before it, so that no batch norm sees one image alone. With `warmup_epochs` the
schedule begins after the warmup and stretches over the epochs that are left.

## What `epochs` means for rungs

`epochs` is the budget, and cosine, linear and onecycle stretch over the whole of it. A trial that is stopped at a
rung was on this long schedule: its learning rate was still high, and its score says how it stood there, not what
so many epochs with an annealing of their own would have given. All trials at a rung have the same budget, so that
their order is fair, but a schedule whose rate falls early (step, exponential) looks better at an early rung than
one whose rate falls late, whatever they reach in the end. Where `schedule` itself is searched, a larger
`grace_period` judges it later.
"""


def page() -> str:
    """Return the whole page."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    for group, members in groupby(FIELDS.values(), key=lambda field: field.group):
        yield f"## {group}\n"
        yield f"{GROUPS[group].__doc__}\n"
        if group == "Model":
            yield from architecture_table()
        for field in members:
            yield from _entry(field)


def _entry(field: Field) -> Iterator[str]:
    yield f"### `{field.name}`\n"
    yield f"{field.meaning}\n"
    unit = f", in {field.unit}" if field.unit else ""
    yield f"- Values: {field.bounds}{unit}{', or null' if field.default is None else ''}"
    yield f"- Default: {_defaults(field)}"
    if field.applies:
        conditions = " and ".join(condition(FIELDS[parent], on) for parent, on in field.applies.items())
        yield f"- Applies where {conditions}"
    for rule in field.rules:
        yield f"- Rule: {rule.says}"
    if field.source:
        yield f"- Source: {field.source}"
    yield ""


def _defaults(field: Field) -> str:
    words = [_spelled(field.default)]
    for parent, by_value in field.default_by.items():
        for default in dict.fromkeys(by_value.values()):
            parents = " or ".join(_spelled(value) for value, other in by_value.items() if other == default)
            words.append(f"{_spelled(default)} where `{parent}` is {parents}")
    return ", ".join(words)


def _spelled(value: object) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    sys.stdout.write(page())
