"""Hyperparameter search for people who train image classifiers: one YAML file in, a Parquet leaderboard out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuner.leaderboard.read import read_leaderboard as read_leaderboard
    from tuner.study.run import run as run
    from tuner.study.trained_model import load_model as load_model

__version__ = "0.1.0"

# The public names load on first use, so that `import tuner` and `tuner --help` stay fast.
_PUBLIC = {
    "load_model": "tuner.study.trained_model",
    "read_leaderboard": "tuner.leaderboard.read",
    "run": "tuner.study.run",
}

__all__ = ["__version__", "load_model", "read_leaderboard", "run"]


def __getattr__(name: str) -> Any:
    """Return a public name, importing its module on first use."""
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'tuner' has no attribute {name!r}")
