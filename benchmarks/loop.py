"""Images per second of the training loop, beside a DataLoader loop and beside the bare step. Prints one JSON line.

    python benchmarks/loop.py --model cnn --mixup --cutout --ema

All train the same model with SGD, momentum and batches of 128 on random images of CIFAR-10's shape, with the same
threads:

- ``loop``: ``tuner.training.loop.train`` with crop 4 and flip, and what the options add, as reported by itself;
- ``dataloader_0``, ``dataloader_2``: the loop of the tutorials, 0 and 2 workers, torchvision's v2 transforms for each
  image, contiguous tensors, crop 4 and flip alone;
- ``bare``: forward, loss, backward and step on one fixed normalized batch, channels last as in the loop.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import torch
from common import cpu, rounds, versions
from torch import Tensor
from torch.utils.data import DataLoader
from workload import TransformedImages, build_model, build_optimizer, make_step, random_images

from tuner.hyperparameters.table import Hyperparameters, resolve
from tuner.training.data import TrainingData
from tuner.training.loop import train
from tuner.training.normalization import dataset as normalization

CPU = torch.device("cpu")

#: What each option adds to the loop, and to nothing else.
EXTRAS: dict[str, dict[str, object]] = {
    "mixup": {"mixup_alpha": 0.2},
    "cutout": {"cutout": 8},
    "ema": {"ema_decay": 0.999},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="cnn", choices=("cnn", "resnet9", "resnet18"))
    parser.add_argument("--images", type=int, default=2560, help="training images (default: 2560)")
    parser.add_argument("--rounds", type=int, default=15, help="interleaved rounds (default: 15)")
    parser.add_argument("--threads", type=int, default=2, help="threads of PyTorch (default: 2)")
    parser.add_argument("--skip-dataloader", action="store_true", help="leave the slow DataLoader loops out")
    for name, added in EXTRAS.items():
        parser.add_argument(f"--{name}", action="store_true", help=f"train the loop with {added}")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    # A small rate: the weights, and with them the work, stay alike on all sides.
    config = {"model": args.model, "epochs": args.rounds + 1, "lr": 1e-4, "schedule": "constant"}
    extras = [name for name in EXTRAS if getattr(args, name)]
    added = {key: value for name in extras for key, value in EXTRAS[name].items()}
    hyperparameters = resolve({**config, "crop_padding": 4, "flip": True, **added})
    data = random_images(args.images, CPU)
    measured = {"loop": our_loop(hyperparameters, data), "bare": bare_step(hyperparameters, data)}
    for workers in () if args.skip_dataloader else (0, 2):
        measured[f"dataloader_{workers}"] = dataloader_loop(hyperparameters, data, workers)
    for run in measured.values():  # warm up: first calls pay for workers, caches and kernels
        run()
    medians = rounds(measured, args.rounds)
    dataloaders = [value for name, value in medians.items() if name.startswith("dataloader")]
    report = {
        "benchmark": "loop",
        **{name: round(value, 1) for name, value in medians.items()},
        "loop_over_bare": round(medians["loop"] / medians["bare"], 3),
        "loop_over_dataloader": round(medians["loop"] / max(dataloaders), 3) if dataloaders else None,
        "rounds": args.rounds,
        "model": args.model,
        "extras": extras,
        "images": args.images,
        "batch_size": hyperparameters.budget.batch_size,
        "threads": args.threads,
        "versions": versions("torch", "torchvision"),
        "cpu": cpu(),
    }
    print(json.dumps(report))


def our_loop(hyperparameters: Hyperparameters, data: TrainingData) -> Callable[[], float]:
    """Return a function that trains one more epoch and returns its images per second."""
    epochs = train(hyperparameters, data, device=CPU)
    return lambda: next(epochs)["images_per_second"]


def bare_step(hyperparameters: Hyperparameters, data: TrainingData) -> Callable[[], float]:
    """Return a function that makes as many steps as an epoch has full batches, on one batch."""
    batch_size = min(hyperparameters.budget.batch_size, len(data.train_labels))
    images = normalization(data)(data.train_images[:batch_size])
    labels = data.train_labels[:batch_size]
    model = build_model(hyperparameters, data)
    step = make_step(model, build_optimizer(hyperparameters, model))

    def run() -> float:
        began = time.perf_counter()
        steps = len(data.train_labels) // batch_size
        for _ in range(steps):
            step(images, labels)
        return steps * batch_size / (time.perf_counter() - began)

    return run


def dataloader_loop(hyperparameters: Hyperparameters, data: TrainingData, workers: int) -> Callable[[], float]:
    """Return a function that trains one epoch through a DataLoader."""
    loader: DataLoader[tuple[Tensor, Tensor]] = DataLoader(
        TransformedImages(data),
        batch_size=hyperparameters.budget.batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    model = build_model(hyperparameters, data).to(memory_format=torch.contiguous_format)
    step = make_step(model, build_optimizer(hyperparameters, model))

    def run() -> float:
        began = time.perf_counter()
        for images, labels in loader:
            step(images, labels)
        return len(data.train_labels) / (time.perf_counter() - began)

    return run


if __name__ == "__main__":
    main()
