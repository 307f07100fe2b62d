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
from tests.cluster.nodes import Cluster, cluster, until
from tests.storage.server import BUCKET, S3Server, s3_server
from tests.study.searches import SPACE, TRAINABLE
from tuner.cluster import manifest
from tuner.hyperparameters.table import TRAINABLES
from tuner.space.read import read_search_file

SECONDS = 300.0


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
    (image / "mine.py").write_text(dedent(TRAINABLE))
    path = tmp_path / "given.yaml"
    path.write_text(dedent(SPACE))
    with s3_server() as s3:
        results = s3.address("manifest")
        file = read_search_file(path, trainables=TRAINABLES, flags={"results": ("--results", results)})
        text = manifest.ray_job_manifest(file, ["--results", results, "--trials", "8"], env={"EPOCH_SECONDS": "0.2"})
        config_map, ray_job = yaml.safe_load_all(text)
        for name, content in config_map["data"].items():
            (mounted / name).write_text(content)
        pods = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

        with cluster((2,), dashboard=True, environment=pods) as first:
            submit(first, ray_job, "first")
            until(lambda: segments(s3) >= 15 and not ended(results).empty, SECONDS)
            assert status(first, "first") == "RUNNING"
        before = ended(results)
        assert 0 < len(before) < 8

        with cluster((2,), dashboard=True, environment=pods) as second:
            submit(second, ray_job, "second")
            until(lambda: status(second, "second") in ("SUCCEEDED", "FAILED"), SECONDS)
            assert status(second, "second") == "SUCCEEDED", call(second, "second/logs")["logs"]
        after = ended(results)
        assert sorted(after.index) == list(range(8))
        pd.testing.assert_frame_equal(after.loc[before.index], before)


def segments(s3: S3Server) -> int:
    """Return how many segments of the log lie on object storage."""
    return s3.client().list_objects_v2(Bucket=BUCKET, Prefix="manifest/s/segments/")["KeyCount"]


def ended(results: str) -> pd.DataFrame:
    """Return what stands fast of the trials that have ended, by number."""
    board = tuner.read_leaderboard(results).set_index("number").sort_index()
    return board.loc[
        board["state"].isin(["completed", "stopped"]), ["x", "score", "attempts", "started_at", "finished_at"]
    ]
