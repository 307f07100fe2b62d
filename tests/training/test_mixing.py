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
    drawn = mixing.draw_beta(alpha, 8000, generator())
    assert drawn.mean().item() == pytest.approx(0.5, abs=0.02)
    assert drawn.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.06)


def test_lambda_is_uniform_at_one():
    drawn = mixing.draw_beta(1.0, 8000, generator()).sort().values
    assert (drawn - torch.linspace(0, 1, 8000, dtype=torch.float64)).abs().max() < 0.02


def test_lambda_of_a_tiny_alpha_is_a_coin():
    drawn = mixing.draw_beta(1e-4, 400, generator())
    assert ((drawn < 1e-3) | (drawn > 1 - 1e-3)).float().mean() > 0.98
    assert 0.4 < drawn.mean().item() < 0.6


@pytest.mark.parametrize("settings", [{}, {"mixup_alpha": 1.0, "mix_prob": 0.0}])
def test_off_leaves_images_and_integer_labels_alone(settings):
    images, labels = mixed(**settings)
    assert torch.equal(images, batch()[0])
    assert torch.equal(labels, batch()[1])


@pytest.mark.parametrize("per", ["batch", "image"])
@pytest.mark.parametrize("kind", mixing.MIXES)
def test_one_permutation_serves_images_and_labels(kind, per):
    images, labels = batch()
    pure = list(zip(images, functional.one_hot(labels, CLASSES).float(), strict=True))
    got = list(zip(*mixed(**{f"{kind}_alpha": 1.0}, mix_per=per, seed=3), strict=True))
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
    images, _ = batch(2)
    stays = mixing.mixup_share(torch.tensor([1.0, 0.0], dtype=torch.float64), 12, 20, generator())
    assert torch.equal(torch.lerp(images.flip(0), images, stays), images[[0, 0]])


@pytest.mark.parametrize("drawn", [0.0, 0.31, 0.5, 0.75, 0.9, 1.0])
def test_cutmix_box_is_exact_before_clipping_on_oblong_images(drawn):
    height, width = 12, 20
    box = (int(height * (1 - drawn) ** 0.5), int(width * (1 - drawn) ** 0.5))
    gone = mixing.cutmix_share(torch.full((400,), drawn, dtype=torch.float64), height, width, generator())[:, 0] == 0
    rows, columns = gone.any(2).sum(1), gone.any(1).sum(1)
    assert torch.equal(gone.flatten(1).sum(1), rows * columns)
    assert (rows <= box[0]).all()
    assert (columns <= box[1]).all()
    if min(box) > 0:
        assert ((rows == box[0]) & (columns == box[1])).any()


def test_cutmix_labels_follow_the_pixels_that_stayed():
    drawn = mixing.draw_beta(1.0, 4000, generator())
    kept = mixing.cutmix_share(drawn, 32, 32, generator(1)).mean((1, 2, 3))
    assert kept.mean().item() == pytest.approx(0.70, abs=0.02)  # a stale lambda would be 0.50


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("kind", mixing.MIXES)
def test_soft_targets_cost_what_the_papers_pair_form_costs(kind, smoothing):
    """lambda CE(z, y_a) + (1 - lambda) CE(z, y_b), image by image; the classes of the pair are read from the target."""
    _, labels = batch()
    _, targets = mixed(**{f"{kind}_alpha": 1.0}, mix_per="image", seed=3)
    logits = torch.randn(len(labels), CLASSES, generator=generator(2))
    share = targets.gather(1, labels[:, None])[:, 0]
    partners = targets.scatter(1, labels[:, None], 0.0).argmax(1)
    own, other = (
        functional.cross_entropy(logits, target, label_smoothing=smoothing, reduction="none")
        for target in (labels, partners)
    )
    soft = functional.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")
    assert ((share > 0.01) & (share < 0.99)).sum() > 4
    assert torch.allclose(soft, share * own + (1 - share) * other, atol=1e-5)


def changed_images(images, got):
    return (images != got).flatten(1).any(1)


def test_mix_prob_is_the_share_of_mixed_batches():
    images, _ = batch()
    changed = torch.stack(
        [changed_images(images, mixed(seed, mixup_alpha=1.0, mix_prob=0.3)[0]).any() for seed in range(400)]
    )
    assert changed.float().mean().item() == pytest.approx(0.3, abs=0.06)


def test_mix_prob_is_the_share_of_mixed_images_where_each_is_drawn_alone():
    images, _ = batch(4000, 2, 2)
    mix = mixing.build(Mixing(mixup_alpha=1.0, mix_prob=0.3, mix_per="image"), CLASSES)
    got, _ = mix(*batch(4000, 2, 2), generator())
    assert changed_images(images, got).float().mean().item() == pytest.approx(0.3, abs=0.03)


def is_cut(images, got):
    """Whether every pixel is one of the batch's own values, image by image."""
    return torch.isin(got, images).flatten(1).all(1)


def test_with_both_on_a_fair_draw_picks_one_for_the_batch():
    images, _ = batch()
    cut = torch.stack(
        [is_cut(images, mixed(seed, mixup_alpha=1.0, cutmix_alpha=1.0)[0]).float().mean() for seed in range(300)]
    )
    assert ((cut == 1) | (cut < 0.5)).all()  # below 1: the images that are their own partners
    assert (cut == 1).float().mean().item() == pytest.approx(0.5, abs=0.09)


def test_with_both_on_a_fair_draw_picks_one_for_each_image():
    images, _ = batch(1000)
    cut = is_cut(images, mixed(0, 1000, mixup_alpha=1.0, cutmix_alpha=1.0, mix_per="image")[0])
    assert cut.float().mean().item() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(("per", "least", "most"), [("batch", 1, 1), ("image", 50, 64)])
@pytest.mark.parametrize("kind", mixing.MIXES)
def test_lambda_and_box_are_drawn_for_the_batch_or_for_each_image(kind, per, least, most):
    images = torch.arange(1.0, 65.0).view(-1, 1, 1, 1).expand(-1, 1, 32, 33)  # each image in a colour of its own
    mix = mixing.build(Mixing(**{f"{kind}_alpha": 1.0}, mix_per=per), 64)
    got, targets = mix(images, torch.arange(64), generator())
    moved = targets.diagonal() < 1
    assert least <= len({round(share, 4) for share in targets.diagonal()[moved].tolist()}) <= most
    if kind == "cutmix":
        boxes = {tuple(gone.flatten().tolist()) for gone in (got != images)[moved]}
        assert least <= len(boxes) <= most


def test_draws_nothing_from_the_global_generator():
    before = torch.get_rng_state()
    for per in ("batch", "image"):
        mixed(mixup_alpha=0.5, cutmix_alpha=0.5, mix_per=per)
    assert torch.equal(before, torch.get_rng_state())
