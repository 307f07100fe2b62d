"""Uniform sampling, or log-uniform where a range says ``log``."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial

import optuna
from optuna.samplers import RandomSampler

from tuner.facts.records import Origin
from tuner.search.distributions import suggest
from tuner.search.samplers.sampler import Choose, Question, Sampler


class Random(Sampler):
    """Draws each configuration by itself, whatever became of the others."""

    def __init__(self, question: Question) -> None:
        self._question = question

    @property
    def origin(self) -> Origin:
        """Random, always."""
        return Origin.RANDOM

    def draws(self, n: int) -> Generator[Choose]:
        """Yield choices of a stream of random numbers that belongs to the trial."""
        study = optuna.create_study(sampler=RandomSampler(self._question.seed_of(n)))
        while True:
            yield partial(suggest, study.ask())
