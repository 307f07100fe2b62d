"""Searches on real clusters: code and data reach every node, nodes come and go, and what cannot be joined is said."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from torchvision.models import resnet18

from tests.cluster.held import held
from tests.cluster.nodes import RAY, Cluster, cluster
from tests.study.searches import SPACE, SearchProcess, assert_exactly_once, events_of, history, prepare, search
from tuner.datasets.entry import FILES
from tuner.facts.errors import ExitCode
from tuner.journal.events import Event, Retry, Start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

#: What no order of trials changes: configurations are drawn by number, and nothing is stopped early.
UNORDERED = SPACE.replace("algorithm: tpe", "algorithm: random").replace(
    "type: asha, grace_period: 3, ", "type: none, "
)
UNORDERED = UNORDERED.replace("reduction_factor: 3, ", "").replace(", max_concurrent: 2", "")

#: Of each node's processes.
ENVIRONMENT = {"EPOCH_SECONDS": "0.02", "OMP_NUM_THREADS": "1"}

#: Trials that take far longer than a process needs to start: shorter ones would all go to processes that are free.
DIGITS = """
    name: s
    data: {dataset: digits, validation: 200}
    search: {algorithm: random, trials: 100000, seed: 1}
    scheduler: {type: none}
    parameters: {model: mlp, epochs: 500, lr: {min: 0.01, max: 0.1, log: true}}
"""


@pytest.fixture(scope="module")
def nodes() -> Iterator[Cluster]:
    """A head on which no trial runs, and two workers."""
    with cluster((2, 2), environment=ENVIRONMENT) as running:
        yield running


@pytest.fixture(autouse=True)
def let_go(tmp_path: Path) -> Iterator[None]:
    """Where a test failed, nothing of it stands in the way of the next."""
    yield
    (tmp_path / "go").touch()


def rows(folder: Path) -> list[dict[str, Any]]:
    return pq.read_table(folder / "results/s/leaderboard.parquet").sort_by("number").to_pylist()


def nodes_of(events: Sequence[Event]) -> set[str]:
    """Return the nodes on which trials have started."""
    return {event.node for event in events if isinstance(event, Start)}


def test_a_killed_node_costs_at_most_an_epoch_a_trial_and_changes_no_result(nodes: Cluster, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        prepare(folder, space=UNORDERED, trainable=held(tmp_path / "go"))
    doomed = nodes.add(2, environment=ENVIRONMENT)

    running = SearchProcess(there, "--address", nodes.address, environment=nodes.environment)
    running.until_epochs(6 * 2)  # all that fit stand still in their third
    victims = {n for n, trial in history(there).trials.items() if trial.starts[-1].node == doomed.id}
    assert len(victims) == 2
    doomed.kill()
    (tmp_path / "go").touch()
    code, _, err = running.wait()

    assert code == 0, err
    assert "s: 12 trials, 6 side by side" in err
    assert_exactly_once(there, 12)
    assert {n for n, trial in history(there).trials.items() if trial.attempt > 1} == victims
    for row in rows(there):
        assert row["attempts"] == history(there).trials[row["number"]].attempt
        trained = Counter((there / f"results/s/logs/{row['number']}.log").read_text().split("\n"))
        assert sum(trained[f"epoch {epoch}"] - 1 for epoch in range(1, 10)) <= row["attempts"] - 1
    assert {row["node"] for row in rows(there)} <= {"node-1", "node-2", "node-3"}

    assert search(here, epoch_seconds=0.0)[0] == 0
    order_matters_not = ("number", "rank", "state", "score", "x", "seed", "epochs_run", "best_epoch", "config_hash")
    assert [[row[name] for name in order_matters_not] for row in rows(there)] == [
        [row[name] for name in order_matters_not] for row in rows(here)
    ]


def test_a_node_that_is_taken_away_uses_up_no_retry(nodes: Cluster, tmp_path: Path) -> None:
    """As clouds do with machines that they sell for less: a warning, and then it is gone."""
    prepare(tmp_path, space=UNORDERED, trainable=held(tmp_path / "go"))
    doomed = nodes.add(2, environment=ENVIRONMENT)
    running = SearchProcess(tmp_path, "--address", nodes.address, "--set", "retries=0", environment=nodes.environment)
    running.until_epochs(6 * 2)
    assert doomed.id in nodes_of(events_of(tmp_path))
    warning = (
        "--reason",
        "DRAIN_NODE_REASON_PREEMPTION",
        "--reason-message",
        "sold",
        "--deadline-remaining-seconds",
        "1",
    )
    subprocess.run(
        [*RAY, "drain-node", "--address", nodes.address, "--node-id", doomed.id, *warning],
        env=os.environ | nodes.environment,
        check=True,
        capture_output=True,
    )
    time.sleep(1.5)  # a node that ends before its time was not taken away
    doomed.kill()
    (tmp_path / "go").touch()
    code, _, err = running.wait()
    assert code == 0, err
    assert_exactly_once(tmp_path, 12)
    retries = [event for event in events_of(tmp_path) if isinstance(event, Retry)]
    assert retries
    assert {(event.reason, event.lost) for event in retries} == {("its node was taken away", False)}


def test_data_reaches_each_node_once_also_one_that_joins_late(nodes: Cluster, tmp_path: Path) -> None:
    prepare(tmp_path, space=DIGITS)
    environment = {**nodes.environment, "TUNER_CACHE": str(tmp_path / "cache")}
    running = SearchProcess(tmp_path, "--address", nodes.address, environment=environment)
    running.until_epochs(1)
    late = nodes.add(2, environment=ENVIRONMENT)
    running.until(lambda events: len(nodes_of(events)) == len(nodes.alive) - 1)
    running.process.send_signal(signal.SIGINT)
    code, _, err = running.wait()
    assert code == ExitCode.SIGINT, err
    assert "trials side by side, for the cluster has changed" in err

    (entry,) = (path.parent for path in (tmp_path / "cache/datasets").glob("*/meta.json"))
    size = sum((entry / name).stat().st_size for name in FILES if (entry / name).exists())
    receivers = [node for node in nodes.nodes if (node.cache / "datasets" / entry.name).exists()]
    assert receivers == nodes.alive[1:], "no trial runs on the head"
    assert f"sent {size * len(receivers) / 1e6:,.1f} MB of data to {len(receivers)} nodes, once to each" in err

    before = {path: path.stat().st_mtime_ns for path in late.cache.rglob("*.npy")}
    again = ("--name", "again", "--trials", "3", "--cpus-per-trial", "2", "--set", "epochs=1")
    code, _, err = search(tmp_path, "--address", nodes.address, *again, environment=environment)
    assert code == 0, err
    assert "MB of data" not in err
    assert {path: path.stat().st_mtime_ns for path in late.cache.rglob("*.npy")} == before


def test_a_confirmation_on_a_cluster_says_what_one_on_this_machine_says(nodes: Cluster, tmp_path: Path) -> None:
    prepare(tmp_path, space=UNORDERED.replace("trials: 12", "trials: 2, points: [{x: 0.9}]"))
    code, _, err = search(tmp_path, "--address", nodes.address, environment=nodes.environment)
    assert code == 0, err
    records = []
    for address in ([], ["--address", nodes.address]):
        shutil.rmtree(tmp_path / "results/s/confirm", ignore_errors=True)
        done = subprocess.run(
            [sys.executable, "-m", "tuner", "confirm", "s", "--top", "1", "--seeds", "2", "--json", *address],
            cwd=tmp_path,
            env=os.environ | nodes.environment | {"EPOCH_SECONDS": "0"},
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        records.append(json.loads(done.stdout))
    assert f"confirm s: joining the Ray cluster at {nodes.address}" in done.stderr
    here, there = ([record["default"], *record["trials"]] for record in records)
    said = ("name", "score", "difference")
    assert [[row.get(name) for name in said] for row in here] == [[row.get(name) for name in said] for row in there]


def test_weights_reach_each_node_once(nodes: Cluster, tmp_path: Path) -> None:
    space = """
        name: s
        data: {dataset: synthetic, weights: one.pth, validation: 40, train_images: 64}
        search: {algorithm: random, trials: 3, seed: 1}
        scheduler: {type: none}
        parameters:
          {model: resnet18, pretrained: true, freeze_backbone: true, epochs: 1, lr: {min: 0.01, max: 0.1, log: true}}
    """
    prepare(tmp_path, space=space)
    torch.save(resnet18().state_dict(), tmp_path / "one.pth")
    code, _, err = search(
        tmp_path, "--address", nodes.address, environment={**nodes.environment, "TUNER_CACHE": str(tmp_path / "cache")}
    )
    assert code == 0, err
    content = (tmp_path / "one.pth").read_bytes()
    arrived = {node: list(node.cache.glob("weights/*/one.pth")) for node in nodes.alive[1:]}
    assert any(arrived.values())
    assert all(path.read_bytes() == content for paths in arrived.values() for path in paths)
    assert "MB of data to" in err


def test_a_cache_that_cannot_be_written_ends_the_search(nodes: Cluster, tmp_path: Path) -> None:
    prepare(tmp_path, space=DIGITS.replace("digits", "synthetic").replace("500", "1"))
    environment = {**nodes.environment, "TUNER_CACHE": str(tmp_path / "cache")}
    caches = [node.cache for node in nodes.alive[1:]]
    try:
        for cache in caches:
            shutil.rmtree(cache, ignore_errors=True)
            cache.write_text("a file")
        code, _, err = search(tmp_path, "--address", nodes.address, "--trials", "1", environment=environment)
    finally:
        for cache in caches:
            cache.unlink()
    assert code == ExitCode.STORAGE, err
    assert f"on the node {os.uname().nodename} the cache folder {nodes.folder}/cache-" in err


@pytest.mark.parametrize(
    ("arguments", "environment", "refusal"),
    [
        ([], {"RAY_AUTH_TOKEN": "0" * 64}, (ExitCode.CLUSTER, "refuses the token in RAY_AUTH_TOKEN")),
        ([], {"RAY_AUTH_MODE": "disabled"}, (ExitCode.CLUSTER, "wants a token, and RAY_AUTH_MODE says 'disabled'")),
        (["--gpus-per-trial", "1"], {}, (ExitCode.USAGE, "no node of the cluster has a GPU")),
        (["--cpus-per-trial", "3"], {}, (ExitCode.USAGE, "no machine has more than 2")),
    ],
)
def test_what_the_cluster_refuses_is_one_sentence(
    nodes: Cluster, tmp_path: Path, arguments: list[str], environment: dict[str, str], refusal: tuple[int, str]
) -> None:
    prepare(tmp_path)
    ended, out, err = search(
        tmp_path, "--address", nodes.address, *arguments, environment={**nodes.environment, **environment}
    )
    assert ended == refusal[0], err
    assert refusal[1] in err
    assert out == ""
    assert len(err.splitlines()) == 2, err  # that it joins, and why it does not
    assert nodes.token_file.read_text() not in err
    assert not (tmp_path / "results").exists()


def test_another_version_of_ray_is_named(nodes: Cluster, tmp_path: Path) -> None:
    prepare(tmp_path)
    environment = {**nodes.environment, "PYTHONPATH": str(tmp_path / "site")}
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text("import ray; ray.__version__ = '2.7.0'\n")
    code, _, err = search(tmp_path, "--address", nodes.address, environment=environment)
    assert code == ExitCode.CLUSTER, err
    assert "and this is Ray 2.7.0 on Python" in err


def test_a_trial_without_gpus_sees_none(tmp_path: Path) -> None:
    trainable = """
        import os
        import pathlib

        def train(config):
            pathlib.Path(os.environ["SEEN"]).joinpath(str(config["seed"])).write_text(os.environ["CUDA_VISIBLE_DEVICES"])
            yield {"acc": config["x"]}
    """
    prepare(tmp_path, space=UNORDERED, trainable=trainable)
    with cluster((), head_cpus=2, head_gpus=2, environment={"SEEN": str(tmp_path)}) as running:
        for gpus, seen in ((0, {""}), (0.5, {"0", "1"})):
            code, _, err = search(
                tmp_path,
                *("--address", running.address, "--trials", "4", "--gpus-per-trial", str(gpus)),
                *("--name", f"g{gpus}", "--seed", str(int(gpus * 2))),
                environment=running.environment,
            )
            assert code == 0, err
            files = [
                tmp_path / str(trial["seed"])
                for trial in pq.read_table(tmp_path / f"results/g{gpus}/leaderboard.parquet").to_pylist()
            ]
            assert {file.read_text() for file in files} <= seen


def test_the_head_killed_ends_the_driver_and_another_cluster_goes_on(tmp_path: Path) -> None:
    prepare(tmp_path, space=UNORDERED, trainable=held(tmp_path / "go"))
    with cluster((2,), environment=ENVIRONMENT) as running:
        driver = SearchProcess(tmp_path, "--address", running.address, environment=running.environment)
        driver.until_epochs(2 * 2)  # both that fit stand still in their third
        running.head.kill()
        code, _, err = driver.wait()
        assert code == ExitCode.CLUSTER, err
        assert "Ray died while the search ran" in err
    (tmp_path / "go").touch()
    code, _, err = search(tmp_path, "--resume", epoch_seconds=0.0)
    assert code == 0, err
    assert_exactly_once(tmp_path, 12)


def test_a_process_that_the_memory_monitor_ends_is_a_lost_one(tmp_path: Path) -> None:
    prepare(tmp_path, space=UNORDERED)
    monitored = {"RAY_memory_monitor_refresh_ms": "100", "RAY_memory_usage_threshold": "0.0001", "EPOCH_SECONDS": "5"}
    with cluster((), head_cpus=1, environment=monitored) as running:
        options = ("--address", running.address, "--trials", "1", "--set", "retries=1")
        code, _, err = search(tmp_path, *options, environment=running.environment)
    assert code == ExitCode.ABORTED, err
    assert "Traceback" not in err
    (row,) = rows(tmp_path)
    assert (row["state"], row["stop_reason"], row["attempts"]) == ("failed", "lost", 2)
