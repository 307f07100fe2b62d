"""The mean squared error of probabilities over seeds is bias and noise plus variance."""

from __future__ import annotations

import numpy as np
import pytest

from tuner.study.bias_variance import decompose


def test_the_identity_is_exact_and_the_parts_are_the_corrected_ones() -> None:
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(5), (4, 300))
    labels = generator.integers(0, 5, 300)
    onehot = np.eye(5)[labels]
    centre = probabilities.mean(0)
    plain_bias = ((centre - onehot) ** 2).sum(1).mean()
    plain_variance = ((probabilities - centre) ** 2).sum(2).mean()
    found = decompose(probabilities, labels)
    assert found.mean_squared_error == pytest.approx(((probabilities - onehot) ** 2).sum(2).mean(), rel=1e-12)
    assert found.bias_and_noise + found.variance == pytest.approx(found.mean_squared_error, rel=1e-12)
    assert plain_bias + plain_variance == pytest.approx(found.mean_squared_error, rel=1e-12)
    assert found.variance == pytest.approx(plain_variance * 4 / 3, rel=1e-12)
    assert found.bias_and_noise == pytest.approx(plain_bias - plain_variance / 3, rel=1e-12)


def test_the_parts_have_the_same_mean_whatever_the_number_of_seeds() -> None:
    """Of many draws of 2 and of 10 seeds: the plain sums would differ by a quarter, the corrected ones do not."""
    generator = np.random.default_rng(1)
    alphas = generator.uniform(0.5, 3, (40, 3))
    labels = generator.integers(0, 3, 40)
    truth = alphas / alphas.sum(1, keepdims=True)
    variance = (truth * (1 - truth)).sum(1) / (alphas.sum(1) + 1)
    bias = ((truth - np.eye(3)[labels]) ** 2).sum(1)
    for seeds in (2, 10):
        draws = np.stack([generator.dirichlet(alpha, (2000, seeds)) for alpha in alphas], axis=2)
        found = [decompose(draw, labels) for draw in draws]
        assert np.mean([item.variance for item in found]) == pytest.approx(variance.mean(), rel=0.01)
        assert np.mean([item.bias_and_noise for item in found]) == pytest.approx(bias.mean(), rel=0.01)


def test_seeds_that_agree_have_no_variance() -> None:
    one = np.random.default_rng(2).dirichlet(np.ones(4), 50)
    found = decompose(np.stack([one] * 3), np.zeros(50, np.int64))
    assert found.variance == pytest.approx(0, abs=1e-30)
