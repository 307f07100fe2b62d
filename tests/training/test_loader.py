import torch

from tests.training.helpers import digits, generator, small
from tuner.training import normalization
from tuner.training.loader import Loader


def make(data, **config):
    hyperparameters = small(normalize="none", batch_size=64, **config)
    return Loader(hyperparameters, data, normalization.build(hyperparameters.input, data), generator())


def test_an_epoch_holds_every_image_once_with_its_own_label():
    data = digits(300)
    loader = make(data)
    epochs = []
    for _ in range(2):
        batches = list(loader)
        assert [len(images) for images, _ in batches] == [64, 64, 64, 64, 44]
        assert len(loader) == len(batches)
        epochs.append([torch.cat(parts) for parts in zip(*batches, strict=True)])
    expected = sorted(zip(data.train_images.flatten(1).tolist(), data.train_labels.tolist(), strict=True))
    for images, labels in epochs:
        as_bytes = (images * 255).round().long().flatten(1).tolist()
        assert sorted(zip(as_bytes, labels.tolist(), strict=True)) == expected
    assert not torch.equal(epochs[0][1], epochs[1][1])  # each epoch has an order of its own


def test_targets_are_labels_or_probabilities():
    _, labels = next(iter(make(digits(300))))
    assert labels.dtype == torch.int64
    _, mixed = next(iter(make(digits(300), mixup_alpha=1.0)))
    assert mixed.shape == (64, 10)
    assert torch.allclose(mixed.sum(1), torch.ones(64))


def test_augmentation_comes_before_normalization_and_leaves_the_data_alone():
    data = digits(300)
    before = data.train_images.clone()
    images, _ = next(iter(make(data, cutout=8)))
    mean_colour = (255 * data.mean).round().item() / 255
    # A square as large as an image covers its own centre, wherever it lies.
    assert torch.isclose(images, torch.tensor(mean_colour)).flatten(1).any(1).all()
    assert torch.equal(data.train_images, before)
