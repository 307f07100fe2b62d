"""How fast a CUDA GPU trains. Prints one JSON line with the device and its versions.

    python benchmarks/gpu.py                            # throughput on random images
    python benchmarks/gpu.py --data FOLDER --seeds 3    # and the time to 94 % test accuracy on CIFAR-10
    python benchmarks/gpu.py --cpu                      # a tiny run on the CPU, to see that it works

For each model, in interleaved rounds of one epoch each, images per second of:

- ``loop``: ``tuner.training.loop.train`` with crop 4 and flip, as reported by itself;
- ``bare``: the same network and work with no tuner around it: bytes on the device, crop, flip and normalization of a
  batch, autocast, fused SGD, and nothing else;
- ``dataloader``: the loop of the tutorials: workers, torchvision's transforms for each image, pinned memory.

``peak_share`` is the loop's arithmetic (that of PyTorch's ``FlopCounterMode``, forward and backward) as a share of what
one large matrix product reaches on the same device in the same precision.

FOLDER holds CIFAR-10 as Parquet files, or already decoded as an entry of tuner's cache (``.npy`` files and
``meta.json``), for which PyTorch and numpy suffice. The test split takes the place of the validation images: here
nothing is chosen by it. The time is that of training alone, from the first step to the end of the first epoch that
reaches the target.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from common import cpu, rounds, versions
from target import RECIPE, cifar10, to_target
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode
from workload import TransformedImages, build_model, build_optimizer, make_step, random_images

from tuner.hyperparameters.table import Hyperparameters, resolve
from tuner.training.data import TrainingData
from tuner.training.loop import train

PADDING = 4
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Workload:
    """What every loop is measured on."""

    images: int
    batch_size: int
    precision: str
    rounds: int
    workers: int
    device: torch.device


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=["resnet9", "resnet18"])
    parser.add_argument("--images", type=int, default=50_000, help="images of an epoch (default: 50000)")
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--precision", default="bfloat16", choices=sorted(PRECISIONS))
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default: 5)")
    parser.add_argument("--workers", type=int, default=8, help="workers of the DataLoader (default: 8)")
    parser.add_argument("--data", type=Path, help="folder of CIFAR-10, for the time to the target")
    parser.add_argument("--target", type=float, default=0.94, help="test accuracy to reach (default: 0.94)")
    parser.add_argument("--seeds", type=int, default=1, help="runs to the target (default: 1)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=JSON", help="change the recipe to the target"
    )
    parser.add_argument("--cudnn-benchmark", action="store_true", help="let cuDNN try its algorithms, for all loops")
    parser.add_argument("--cpu", action="store_true", help="a tiny run on the CPU: shows that this works, not how fast")
    args = parser.parse_args()
    if not (args.cpu or torch.cuda.is_available()):
        sys.exit("there is no CUDA GPU here; --cpu is a tiny run without one")
    device = torch.device("cpu" if args.cpu else "cuda")
    torch.backends.cudnn.benchmark = args.cudnn_benchmark
    recipe = RECIPE | {"precision": args.precision}
    work = Workload(args.images, args.batch_size, args.precision, args.rounds, args.workers, device)
    if args.cpu:
        work = Workload(32, 16, args.precision, 1, 0, device)
        recipe |= {"epochs": 2, "warmup_epochs": 0, "batch_size": 16, "width": 4}
    recipe |= {name: json.loads(value) for name, _, value in (item.partition("=") for item in args.set)}

    peak = matrix_peak(device, PRECISIONS[args.precision])
    record: dict[str, Any] = {
        "benchmark": "gpu",
        "device": cpu() if args.cpu else torch.cuda.get_device_name(),
        "precision": work.precision,
        "batch_size": work.batch_size,
        "images": work.images,
        "rounds": work.rounds,
        "workers": work.workers,
        "cudnn_benchmark": args.cudnn_benchmark,
        "matrix_peak_tflops": round(peak / 1e12, 2),
        "models": {model: throughput(model, work, peak) for model in args.models},
        "to_target": None,
        "versions": versions("torch", "torchvision") | {"cuda": torch.version.cuda},
    }
    if args.data or args.cpu:
        data = random_images(32, device) if args.data is None else cifar10(args.data, device)
        record["to_target"] = to_target(recipe, data, args.target, args.seeds)
    print(json.dumps(record))


def throughput(model: str, work: Workload, peak: float) -> dict[str, float]:
    """Return images per second of each loop, and what they are of each other and of the device's peak."""
    # A small rate: the weights, and with them the work, stay alike on all sides.
    config = {"model": model, "epochs": work.rounds + 1, "lr": 1e-4, "schedule": "constant"}
    settings = {"batch_size": work.batch_size, "precision": work.precision, "crop_padding": PADDING, "flip": True}
    hyperparameters = resolve(config | settings)
    data = random_images(work.images, work.device)
    epochs = train(hyperparameters, data, device=work.device)
    measured: dict[str, Callable[[], float]] = {
        "loop": lambda: next(epochs)["images_per_second"],
        "bare": bare_loop(hyperparameters, data, work),
        "dataloader": dataloader_loop(hyperparameters, work),
    }
    for run in measured.values():  # warm up: first calls pay for workers, caches and kernels
        run()
    medians = rounds(measured, work.rounds)
    flops = flops_per_image(hyperparameters, data)
    return {
        **{name: round(value) for name, value in medians.items()},
        "epoch_seconds": round(work.images / medians["loop"], 3),
        "loop_over_bare": round(medians["loop"] / medians["bare"], 3),
        "loop_over_dataloader": round(medians["loop"] / medians["dataloader"], 2),
        "gflops_per_image": round(flops / 1e9, 3),
        "peak_share": round(medians["loop"] * flops / peak, 4),
    }


def bare_loop(hyperparameters: Hyperparameters, data: TrainingData, work: Workload) -> Callable[[], float]:
    """Return a function that trains one epoch as one would write it for this alone, and returns images per second."""
    model = build_model(hyperparameters, data)
    step = make_step(model, build_optimizer(hyperparameters, model), PRECISIONS[work.precision])
    device, count = work.device, work.images
    mean, std = (255 * data.mean).view(-1, 1, 1), (255 * data.std).view(-1, 1, 1)

    def run() -> float:
        synchronize(device)
        began = time.perf_counter()
        model.train()
        for batch in torch.randperm(count, device=device).split(work.batch_size):
            images = crop_and_flip(data.train_images[batch])
            step(((images - mean) / std).to(memory_format=torch.channels_last), data.train_labels[batch])
        synchronize(device)
        return count / (time.perf_counter() - began)

    return run


def crop_and_flip(images: Tensor) -> Tensor:
    """Return random crops of the images' own size after padding, half of them mirrored; each image has its own draw."""
    count, channels, height, width = images.shape
    padded = functional.pad(images.float(), [PADDING] * 4, mode="reflect")
    top, left = torch.randint(0, 2 * PADDING + 1, (2, count, 1), device=images.device)
    rows = top + torch.arange(height, device=images.device)
    columns = left + torch.arange(width, device=images.device)
    columns = torch.where(torch.rand(count, 1, device=images.device) < 0.5, columns, columns.flip(1))
    pixels = (rows[:, :, None] * padded.shape[3] + columns[:, None, :]).view(count, 1, -1)
    return padded.flatten(2).gather(2, pixels.expand(-1, channels, -1)).view_as(images)


def dataloader_loop(hyperparameters: Hyperparameters, work: Workload) -> Callable[[], float]:
    """Return a function that trains one epoch through a DataLoader and returns images per second."""
    device = work.device
    data = random_images(work.images, torch.device("cpu"))
    loader: DataLoader[tuple[Tensor, Tensor]] = DataLoader(
        TransformedImages(data),
        batch_size=work.batch_size,
        shuffle=True,
        num_workers=work.workers,
        persistent_workers=work.workers > 0,
        pin_memory=device.type == "cuda",
    )
    model = build_model(hyperparameters, data).to(device)
    step = make_step(model, build_optimizer(hyperparameters, model), PRECISIONS[work.precision])

    def run() -> float:
        synchronize(device)
        began = time.perf_counter()
        for some_images, labels in loader:
            on_device = some_images.to(device, non_blocking=True, memory_format=torch.channels_last)
            step(on_device, labels.to(device, non_blocking=True))
        synchronize(device)
        return work.images / (time.perf_counter() - began)

    return run


def flops_per_image(hyperparameters: Hyperparameters, data: TrainingData) -> float:
    """Return the floating point operations of forward and backward, a multiplication and an addition being two."""
    model = build_model(hyperparameters, data)
    images = torch.zeros(2, *data.image_shape, device=data.train_images.device)
    with FlopCounterMode(display=False) as counter:
        model(images).sum().backward()
    return counter.get_total_flops() / len(images)


def matrix_peak(device: torch.device, precision: torch.dtype) -> float:
    """Return the floating point operations a second of one large matrix product, the median of ten."""
    side = 8192 if device.type == "cuda" else 512
    one, other = torch.randn(2, side, side, device=device, dtype=precision)
    seconds = []
    for _ in range(13):
        synchronize(device)
        began = time.perf_counter()
        one @ other
        synchronize(device)
        seconds.append(time.perf_counter() - began)
    return 2 * side**3 / statistics.median(seconds[3:])


def synchronize(device: torch.device) -> None:
    """Wait for the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
