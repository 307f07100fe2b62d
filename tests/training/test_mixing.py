import pytest
import torch
from torch.nn import functional

from tests.training.helpers import generator
from tuner.hyperparameters.mixing import Mixing
from tuner.training import mixing

CLASSES = 5


def batch(count=16, height=12, width=20):
    images = torch.randn(count, 3, height, width, generator=generator(1))
    return images, torch.arange(count) % CLASSES


def mixed(seed=0, count=16, **settings):
    return mixing.build(Mixing(**settings), CLASSES)(*batch(count), generator(seed))


@pytest.mark.parametrize("alpha", [0.1, 0.4, 1.0, 3.0])
def test_lambda_has_the_moments_of_beta(alpha):
    drawing = generator()
    drawn = torch.stack([mixing.draw_beta(alpha, drawing) for _ in range(8000)])
    assert drawn.mean().item() == pytest.approx(0.5, abs=0.02)
    assert drawn.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.06)


def test_lambda_is_uniform_at_one():
    drawing = generator()
    drawn = torch.stack([mixing.draw_beta(1.0, drawing) for _ in range(8000)]).sort().values
    assert (drawn - torch.linspace(0, 1, 8000, dtype=torch.float64)).abs().max() < 0.02


def test_lambda_of_a_tiny_alpha_is_a_coin():
    drawing = generator()
    drawn = torch.stack([mixing.draw_beta(1e-4, drawing) for _ in range(400)])
    assert ((drawn < 1e-3) | (drawn > 1 - 1e-3)).float().mean() > 0.98
    assert 0.4 < drawn.mean().item() < 0.6


@pytest.mark.parametrize("settings", [{}, {"mixup_alpha": 1.0, "mix_prob": 0.0}])
def test_off_leaves_images_and_integer_labels_alone(settings):
    images, labels = mixed(**settings)
    assert torch.equal(images, batch()[0])
    assert torch.equal(labels, batch()[1])


@pytest.mark.parametrize("kind", mixing.MIXES)
def test_one_permutation_serves_images_and_labels(kind):
    images, labels = batch()
    pure = list(zip(images, functional.one_hot(labels, CLASSES).float(), strict=True))
    got = list(zip(*mixed(**{f"{kind}_alpha": 1.0}, seed=3), strict=True))
    for own, result in zip(pure, got, strict=True):
        assert any(is_mixture(result, own, partner) for partner in pure)
    assert sum(is_mixture(result, own, own) for own, result in zip(pure, got, strict=True)) < len(pure) / 2


def is_mixture(result, own, partner):
    """Whether one share explains image and target: the least-squares share of the image is the target's."""
    difference = own[0] - partner[0]
    if not difference.any():
        return torch.allclose(result[0], own[0], atol=1e-5) and torch.allclose(result[1], own[1])
    kept = torch.isclose(result[0], own[0]).all(0)
    cut = torch.equal(result[0], torch.where(kept, own[0], partner[0]))
    share = kept.float().mean() if cut else ((result[0] - partner[0]) * difference).sum() / (difference**2).sum()
    mixed_image = result[0] if cut else torch.lerp(partner[0], own[0], share)
    return torch.allclose(result[0], mixed_image, atol=1e-5) and torch.allclose(
        result[1], torch.lerp(partner[1], own[1], share), atol=1e-5
    )


def test_mixup_of_lambda_one_is_the_image_and_of_zero_the_partner():
    images, _ = batch()
    for share, expected in ((1.0, images), (0.0, images.flip(0))):
        stays = mixing.mixup_share(torch.tensor(share, dtype=torch.float64), 12, 20, generator())
        assert torch.equal(torch.lerp(images.flip(0), images, stays), expected)


@pytest.mark.parametrize("drawn", [0.0, 0.31, 0.5, 0.75, 0.9, 1.0])
def test_cutmix_box_is_exact_before_clipping_on_oblong_images(drawn):
    height, width = 12, 20
    lam = torch.tensor(drawn, dtype=torch.float64)
    box = (int(height * (1 - drawn) ** 0.5), int(width * (1 - drawn) ** 0.5))
    drawing = generator()
    sizes = set()
    for _ in range(200):
        gone = mixing.cutmix_share(lam, height, width, drawing)[0, 0] == 0
        rows, columns = gone.any(1).sum().item(), gone.any(0).sum().item()
        assert gone.sum().item() == rows * columns
        assert rows <= box[0]
        assert columns <= box[1]
        sizes.add((rows, columns))
    if min(box) > 0:
        assert box in sizes


def test_cutmix_labels_follow_the_pixels_that_stayed():
    drawing = generator()
    kept = []
    for _ in range(4000):
        lam = mixing.draw_beta(1.0, drawing)
        kept.append(mixing.cutmix_share(lam, 32, 32, drawing).mean())
    assert torch.stack(kept).mean().item() == pytest.approx(0.70, abs=0.02)  # a stale lambda would be 0.50


def test_mix_prob_is_the_share_of_mixed_batches():
    changed = [not torch.equal(mixed(seed, mixup_alpha=1.0, mix_prob=0.3)[0], batch()[0]) for seed in range(400)]
    assert sum(changed) / 400 == pytest.approx(0.3, abs=0.06)


def test_with_both_on_a_fair_draw_picks_one():
    images, _ = batch()
    cut = []
    for seed in range(300):
        got = mixed(seed, mixup_alpha=1.0, cutmix_alpha=1.0)[0]
        # Every pixel of a cutmix batch is one of the batch's own values.
        cut.append(torch.isin(got, images).all().item())
    assert sum(cut) / 300 == pytest.approx(0.5, abs=0.09)


def test_draws_nothing_from_the_global_generator():
    before = torch.get_rng_state()
    mixed(mixup_alpha=0.5, cutmix_alpha=0.5)
    assert torch.equal(before, torch.get_rng_state())
