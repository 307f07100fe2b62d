"""The benchmarks of training run, at sizes that say nothing about speed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def run(script: str, *options: str) -> dict:
    command = [sys.executable, f"benchmarks/{script}.py", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_loop_with_everything_on() -> None:
    report = run("loop", "--images", "256", "--rounds", "1", "--mixup", "--cutout", "--ema")
    assert report["extras"] == ["mixup", "cutout", "ema"]
    assert report["loop_over_bare"] == pytest.approx(report["loop"] / report["bare"], abs=1e-3)
    assert min(report["dataloader_0"], report["dataloader_2"]) > 0


@pytest.mark.parametrize("model", ["cnn", "resnet9", "resnet18"])
def test_step_undoes_what_the_network_has(model: str) -> None:
    report = run("step", "--model", model, "--batch-size", "4", "--steps", "1", "--rounds", "1")
    pools = set() if model == "resnet18" else {"pool_first"}  # ours pool, and resnet18's stem does not
    assert set(report["gain"]) == {"channels_last", "fused", "threads"} | pools


def test_gpu_in_its_tiny_form() -> None:
    report = run("gpu", "--cpu", "--models", "resnet9", "--target", "0.0")
    assert set(report["models"]) == {"resnet9"}
    assert all(figures["peak_share"] > 0 for figures in report["models"].values())
    assert report["to_target"]["runs"][0]["epoch"] == 1
