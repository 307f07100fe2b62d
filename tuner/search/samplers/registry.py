"""Samplers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tuner.search.samplers.cmaes import CmaEs
from tuner.search.samplers.gp import Gp
from tuner.search.samplers.grid import Grid
from tuner.search.samplers.nsga2 import Nsga2
from tuner.search.samplers.qmc import Qmc
from tuner.search.samplers.random import Random
from tuner.search.samplers.sampler import Sampler
from tuner.search.samplers.tpe import Tpe

#: Name in the search file to sampler, which takes a ``Question`` and the settings that ``tuner.space.algorithms`` says
#: apply to it, by name.
SAMPLERS: Mapping[str, Callable[..., Sampler]] = {
    "tpe": Tpe,
    "random": Random,
    "cmaes": CmaEs,
    "gp": Gp,
    "qmc": Qmc,
    "grid": Grid,
    "nsga2": Nsga2,
}
