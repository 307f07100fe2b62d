"""The groups of hyperparameters: one closed, frozen dataclass for each component of the training.

A new hyperparameter is one line here, one entry in the training room's registry and one test class.
Names are PyTorch's where PyTorch has one.
"""

from __future__ import annotations

from dataclasses import dataclass

from tuner.hyperparameters.declare import boolean, choice, integer, real

SGD = {"optimizer": ("sgd",)}
ADAMW = {"optimizer": ("adamw",)}


@dataclass(frozen=True, kw_only=True)
class Input:
    """What happens to every image before the model sees it."""

    normalize: str = choice(
        "dataset",
        ("dataset", "none"),
        "Subtract the mean and divide by the per-pixel standard deviation of the training images, per channel.",
    )


@dataclass(frozen=True, kw_only=True)
class Model:
    """The network."""

    model: str = choice(
        "resnet18",
        ("cnn", "resnet9", "resnet18"),
        "The network; all have a stem for small images.",
        source="cnn: conv 32, conv 64, fc 256; resnet9: Page 2019 (DAWNBench); resnet18: He et al. 2015, CIFAR stem",
    )
    width: int = integer(
        64,
        "Channels of the first stage; the later stages are multiples of it.",
        unit="channels",
        minimum=1,
        maximum=1024,
        applies={"model": ("cnn", "resnet9")},
        default_by={"model": {"cnn": 32}},
    )


@dataclass(frozen=True, kw_only=True)
class Dropout:
    """Random removal of activations."""

    dropout: float = real(
        0.0,
        "Probability of dropping a unit before the last linear layer.",
        minimum=0,
        maximum=1,
        source="Srivastava et al. 2014, inverted: kept units are divided by 1 - p",
    )


@dataclass(frozen=True, kw_only=True)
class Mixing:
    """Training on mixtures of images."""

    mixup_alpha: float = real(
        0.0,
        "Mixup: lambda ~ Beta(alpha, alpha); 0 is off, 1 is uniform.",
        minimum=0,
        maximum=100,
        source="Zhang et al. 2018",
    )
    cutmix_alpha: float = real(
        0.0,
        "CutMix: area that stays ~ Beta(alpha, alpha); 0 is off, 1 is uniform.",
        minimum=0,
        maximum=100,
        source="Yun et al. 2019",
    )
    mix_prob: float = real(
        1.0,
        "Share of batches that are mixed; with mixup and cutmix both on, a fair draw picks one.",
        minimum=0,
        maximum=1,
    )


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random changes to training images, drawn for each image."""

    crop_padding: int = integer(
        0,
        "Random crop of the original size after reflecting this many pixels on each side; 0 is off.",
        unit="pixels",
        minimum=0,
        maximum=64,
    )
    flip: bool = boolean(False, "Mirror each image from left to right with probability 1/2.")
    cutout: int = integer(
        0,
        "Side of a square set to the mean colour at a random centre, cut off at the border; 0 is off.",
        unit="pixels",
        minimum=0,
        maximum=1024,
        source="DeVries and Taylor 2017",
    )


@dataclass(frozen=True, kw_only=True)
class Penalties:
    """What keeps weights and predictions small."""

    weight_decay: float = real(
        0.0,
        "The optimizer's weight decay: with sgd the gradient of (lambda/2) ||w||^2, with adamw decoupled.",
        minimum=0,
        maximum=10,
        source="torch.optim; Loshchilov and Hutter 2019 for adamw",
    )
    decay_norms_and_biases: bool = boolean(False, "Whether weight decay also holds for norm parameters and biases.")
    label_smoothing: float = real(
        0.0,
        "Share e of the target spread evenly over the classes: (1 - e) CE + e (KL(u || p) + log C).",
        minimum=0,
        maximum=1,
        below=True,
        source="Szegedy et al. 2016",
    )


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """How gradients become steps."""

    optimizer: str = choice("sgd", ("sgd", "adamw"), "The optimizer.", source="torch.optim.SGD, torch.optim.AdamW")
    lr: float = real(
        0.1,
        "Peak learning rate.",
        minimum=0,
        above=True,
        maximum=1000,
        default_by={"optimizer": {"adamw": 1e-3}},
    )
    momentum: float = real(
        0.9, "Share of the last step that goes into the next one.", minimum=0, maximum=1, below=True, applies=SGD
    )
    nesterov: bool = boolean(
        False, "Nesterov's momentum; has an effect where momentum is above 0.", applies=SGD, source="torch.optim.SGD"
    )
    beta1: float = real(
        0.9, "Decay of the first moment.", minimum=0, maximum=1, below=True, applies=ADAMW, source="torch's betas[0]"
    )
    beta2: float = real(
        0.999, "Decay of the second moment.", minimum=0, maximum=1, below=True, applies=ADAMW, source="torch's betas[1]"
    )
    eps: float = real(1e-8, "Added to the root of the second moment.", minimum=0, above=True, maximum=1, applies=ADAMW)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How the learning rate moves over the epochs."""

    schedule: str = choice(
        "cosine",
        ("constant", "cosine", "step", "onecycle"),
        "The learning rate's schedule; onecycle is stepped per batch, the others per epoch.",
        source="torch.optim.lr_scheduler",
    )
    warmup_epochs: int = integer(
        0,
        "Epochs over which the learning rate first rises linearly, per batch; onecycle has its own rise.",
        unit="epochs",
        minimum=0,
        maximum=100_000,
        applies={"schedule": ("constant", "cosine", "step")},
    )
    eta_min: float = real(
        0.0,
        "Learning rate that cosine ends at.",
        minimum=0,
        maximum=1000,
        applies={"schedule": ("cosine",)},
    )
    step_size: int = integer(
        10,
        "Epochs between two drops.",
        unit="epochs",
        minimum=1,
        maximum=100_000,
        applies={"schedule": ("step",)},
    )
    gamma: float = real(
        0.1,
        "Factor of each drop.",
        minimum=0,
        above=True,
        maximum=1,
        applies={"schedule": ("step",)},
    )
    pct_start: float = real(
        0.3,
        "Share of the steps in which onecycle rises.",
        minimum=0,
        above=True,
        maximum=1,
        below=True,
        applies={"schedule": ("onecycle",)},
    )
    div_factor: float = real(
        25.0,
        "onecycle begins at lr / div_factor.",
        minimum=1,
        maximum=1e9,
        applies={"schedule": ("onecycle",)},
    )
    final_div_factor: float = real(
        1e4,
        "onecycle ends at its first learning rate / final_div_factor.",
        minimum=1,
        maximum=1e9,
        applies={"schedule": ("onecycle",)},
    )


@dataclass(frozen=True, kw_only=True)
class Stability:
    """What keeps a run from breaking, or ends it early."""

    clip_grad_norm: float | None = real(
        None,
        "Largest norm of the whole gradient; null is off.",
        minimum=0,
        above=True,
        maximum=1e9,
        source="torch.nn.utils.clip_grad_norm_",
    )
    early_stop_patience: int | None = integer(
        None,
        "End after this many epochs in a row without a better early_stop_metric; null is off.",
        unit="epochs",
        minimum=1,
        maximum=100_000,
    )
    early_stop_min_delta: float = real(0.0, "By how much an epoch must be better to count.", minimum=0, maximum=1e9)
    early_stop_metric: str = choice(
        "val_loss", ("val_loss", "val_accuracy"), "What early stopping watches: val_loss falls, val_accuracy rises."
    )


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long and on how much at a time."""

    epochs: int = integer(
        27,
        "Passes over the training images; decides how far schedules stretch.",
        unit="epochs",
        minimum=1,
        maximum=100_000,
    )
    batch_size: int = integer(128, "Images in a step.", unit="images", minimum=2, maximum=65_536)
    seed: int = integer(
        0,
        "Seed of initial weights, order and augmentation; derived from search.seed and the trial's number if absent.",
        minimum=0,
        maximum=2**31 - 1,
    )
