"""What makes the bare step fast: each of its choices undone in turn. Prints one JSON line.

    python benchmarks/step.py --model cnn

The bare step is forward, loss, backward and SGD with momentum on one fixed batch of 128 images of CIFAR-10's shape. As
the loop makes it, it has all of these; each round measures it once whole and once without each of them:

- ``channels_last``: images and weights are stored channels last, otherwise contiguous;
- ``pool_first``: max pooling comes before the activation, otherwise after it, with the same result (left out of the
  networks that pool nowhere);
- ``fused``: one kernel steps a whole group of parameters, otherwise PyTorch's default for the device;
- ``threads``: as many as ``--threads``, otherwise one.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import torch
from common import cpu, rounds, versions
from torch import nn, optim
from workload import build_model, build_optimizer, make_step, random_images

from tuner.hyperparameters.table import Hyperparameters, resolve
from tuner.training.data import TrainingData
from tuner.training.normalization import dataset as normalization

CHOICES = ("channels_last", "pool_first", "fused", "threads")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="cnn", choices=("cnn", "resnet9", "resnet18"))
    parser.add_argument("--steps", type=int, default=10, help="steps of a round (default: 10)")
    parser.add_argument("--batch-size", type=int, default=128, help="images of a step (default: 128)")
    parser.add_argument("--rounds", type=int, default=15, help="interleaved rounds (default: 15)")
    parser.add_argument("--threads", type=int, default=2, help="threads of PyTorch (default: 2)")
    args = parser.parse_args()
    hyperparameters = resolve({"model": args.model, "lr": 1e-4})
    data = random_images(args.batch_size, torch.device("cpu"))
    choices = [name for name in CHOICES if name != "pool_first" or pool_last(build_model(hyperparameters, data))]
    measured = {"all": bare(hyperparameters, data, args.steps, args.threads)}
    for name in choices:
        measured[name] = bare(hyperparameters, data, args.steps, args.threads, without=name)
    for run in measured.values():  # warm up
        run()
    medians = rounds(measured, args.rounds)
    whole = medians.pop("all")
    report = {
        "benchmark": "step",
        "images_per_second": round(whole, 1),
        "without": {name: round(value, 1) for name, value in medians.items()},
        "gain": {name: round(whole / value, 3) for name, value in medians.items()},
        "rounds": args.rounds,
        "model": args.model,
        "batch_size": args.batch_size,
        "threads": args.threads,
        "versions": versions("torch", "torchvision"),
        "cpu": cpu(),
    }
    print(json.dumps(report))


def bare(
    hyperparameters: Hyperparameters, data: TrainingData, steps: int, threads: int, without: str | None = None
) -> Callable[[], float]:
    """Return a function that makes some steps and returns images per second.

    Args:
        hyperparameters: Of model and optimizer.
        data: The images, one batch.
        steps: Steps of one call.
        threads: Threads of PyTorch.
        without: One of ``CHOICES`` that is undone; None for the step as the loop makes it.
    """
    model = build_model(hyperparameters, data)
    images, labels = normalization(data)(data.train_images), data.train_labels
    if without == "channels_last":
        model, images = model.to(memory_format=torch.contiguous_format), images.contiguous()
    if without == "pool_first":
        pool_last(model)
    optimizer = build_optimizer(hyperparameters, model)
    if without == "fused":
        settings = hyperparameters.optimizer
        optimizer = optim.SGD(model.parameters(), lr=settings.lr, momentum=settings.momentum)
    step = make_step(model, optimizer)

    def run() -> float:
        torch.set_num_threads(1 if without == "threads" else threads)
        began = time.perf_counter()
        for _ in range(steps):
            step(images, labels)
        return steps * len(labels) / (time.perf_counter() - began)

    return run


def pool_last(model: nn.Module) -> int:
    """Let each max pooling that is followed by an activation change places with it; return how many there were."""
    changed = 0
    for layers in model.modules():
        if not isinstance(layers, nn.Sequential):
            continue
        for index in range(len(layers) - 1):
            if isinstance(layers[index], nn.MaxPool2d) and isinstance(layers[index + 1], nn.ReLU):
                layers[index], layers[index + 1] = layers[index + 1], layers[index]
                changed += 1
    return changed


if __name__ == "__main__":
    main()
