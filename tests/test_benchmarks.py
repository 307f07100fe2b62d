"""The benchmarks run, at sizes that say nothing about speed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def run(script: str, *options: str) -> dict:
    command = [sys.executable, f"benchmarks/{script}.py", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=800, check=False)
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


def test_driver_alone_and_its_peer() -> None:
    cells = run("driver", "--trials", "30", "--slots", "4", "--asks", "2")["cells"]
    assert [cell["side"] for cell in cells] == ["tuner", "optuna"]
    assert all(cell["reports"] >= 3 * 30 and cell["log_mb"] > 0 and cell["tpe_ask"]["ms"] > 0 for cell in cells)
    assert cells[0]["publish"]["ms"] > 0 and cells[0]["parquet_mb"] > 0


def test_log_on_a_disk_and_on_object_storage() -> None:
    cells = run("log", "--trials", "3", "--slots", "2", "--delays", "20", "--rounds", "3")["cells"]
    assert [cell["storage"] for cell in cells] == ["disk", "disk", "s3 + 20 ms", "s3 + 20 ms"]
    assert cells[2]["report_ms"] > 20, "a durable report waits for the storage's answer"
    assert cells[3]["reports_per_second"] > cells[2]["reports_per_second"]


def test_cluster_of_one_node_and_its_peer() -> None:
    cells = run("cluster", "--nodes", "1", "--trials", "2", "--pause", "0.05")["cells"]
    assert [cell["side"] for cell in cells] == ["tuner", "stock"]
    for cell in cells:
        assert cell["trials"] == 4 and 4 * 3 <= cell["epochs"] <= 4 * 27
        assert 0 < cell["busy"] < 1 and cell["driver_cpu"] > 0 and cell["driver_peak_mb"] > 50
    assert cells[0]["store_bytes"] < 100_000, "neither images nor reports pass through the object store"


def test_soak_prints_the_curve() -> None:
    cells = run("soak", "--trials", "40", "--slots", "4", "--every", "20")["cells"]
    assert [cell["trials"] for cell in cells] == [20, 40]
    assert all(min(cell["driver_ms"], cell["sampler_ms"], cell["memory_mb"], cell["epochs"]) > 0 for cell in cells)
    assert cells[-1]["leaderboard_writes"] > 0
