"""What a manifest says, run on a real Ray the way KubeRay runs it: the pods alone are missing."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from pathlib import Path
from textwrap import dedent
from typing import Any

import pandas as pd
import pytest
import yaml

import tuner
from tests.cluster.held import held
from tests.cluster.nodes import Cluster, cluster, until
from tests.storage.server import s3_server
from tests.study.searches import SPACE
from tuner.cluster import manifest
from tuner.cluster.job import ENDED
from tuner.hyperparameters.table import TRAINABLES
from tuner.journal.history import History
from tuner.journal.lock import is_held
from tuner.journal.log import read_events
from tuner.space.read import read_search_file
from tuner.storage.copies import results_folder

SECONDS = 300.0

#: The first two trials end; the others stand still.
ENDING = (0.1, 0.2)
SEARCH = SPACE.replace("trials: 12", f"trials: 12, points: [{', '.join(f'{{x: {x}}}' for x in ENDING)}]")
HELD = f"epoch >= 3 and config['x'] not in {ENDING}"


def call(nodes: Cluster, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask the job server as KubeRay's operator does in its HTTP mode."""
    request = urllib.request.Request(
        f"{nodes.dashboard}/api/jobs/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "x-ray-authorization": f"Bearer {nodes.token_file.read_text()}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def submit(nodes: Cluster, ray_job: dict[str, Any], job: str) -> None:
    spec = ray_job["spec"]
    environment = yaml.safe_load(spec["runtimeEnvYAML"])
    body = {"entrypoint": spec["entrypoint"], "metadata": spec["metadata"], "runtime_env": environment}
    call(nodes, "", body | {"submission_id": job})


def status(nodes: Cluster, job: str) -> str:
    return call(nodes, job)["status"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_retry_on_a_new_cluster_goes_on_from_the_results_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The image's working folder, with a module of one's own, and where the ConfigMap comes to lie.
    image, mounted = tmp_path / "image", tmp_path / "mounted"
    image.mkdir()
    mounted.mkdir()
    monkeypatch.chdir(image)
    monkeypatch.setattr(manifest, "FOLDER", mounted)
    (image / "mine.py").write_text(dedent(held(tmp_path / "go", HELD)))
    path = tmp_path / "given.yaml"
    path.write_text(dedent(SEARCH))
    with s3_server() as s3:
        results = s3.address("manifest")
        file = read_search_file(path, trainables=TRAINABLES, flags={"results": ("--results", results)})
        text = manifest.ray_job_manifest(file, ["--results", results, "--trials", "8"], env={"EPOCH_SECONDS": "0.01"})
        config_map, ray_job = yaml.safe_load_all(text)
        for name, content in config_map["data"].items():
            (mounted / name).write_text(content)
        pods = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

        with cluster((2,), dashboard=True, environment=pods) as first:
            submit(first, ray_job, "first")
            until(lambda: stands_still(results) or status(first, "first") in ENDED, SECONDS)
            assert status(first, "first") == "RUNNING", call(first, "first/logs")["logs"]
        until(lambda: not is_written(results), SECONDS)
        before = ended(results)
        assert len(before) == len(ENDING)
        (tmp_path / "go").touch()

        with cluster((2,), dashboard=True, environment=pods) as second:
            submit(second, ray_job, "second")
            until(lambda: status(second, "second") in ENDED, SECONDS)
            assert status(second, "second") == "SUCCEEDED", call(second, "second/logs")["logs"]
        after = ended(results)
        assert sorted(after.index) == list(range(8))
        pd.testing.assert_frame_equal(after.loc[before.index], before)


def stands_still(results: str) -> bool:
    """Return whether the first two trials have ended and the next two are as far as they come."""
    with results_folder(results, "s") as folder:
        trials = History(read_events(folder / "s")).trials
    ended = [number for number, trial in trials.items() if trial.end is not None]
    return ended == [0, 1] and [trials[number].last_epoch for number in (2, 3) if number in trials] == [2, 2]


def is_written(results: str) -> bool:
    """Return whether a driver lives: the one of a job ends a little after the job's node."""
    with results_folder(results, "s") as folder:
        return is_held(folder / "s")


def ended(results: str) -> pd.DataFrame:
    """Return what stands fast of the trials that have ended, by number."""
    board = tuner.read_leaderboard(results).set_index("number").sort_index()
    return board.loc[
        board["state"].isin(["completed", "stopped"]), ["x", "score", "attempts", "started_at", "finished_at"]
    ]
