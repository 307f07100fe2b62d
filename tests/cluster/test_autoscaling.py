"""A search on a cluster that begins without workers: the autoscaler brings them and takes them away again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.autoscaled import autoscaled, namespaces_are_to_be_had
from tests.cluster.nodes import until
from tests.study.searches import SPACE, history, prepare

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not namespaces_are_to_be_had(), reason="a process may have no network of its own here"),
]

#: More trials than will ever run. Each takes far longer than a process needs to start: shorter ones would all go to
#: processes that are free, and none to the second node.
ENDLESS = SPACE.replace("trials: 12", "trials: 10000").replace(
    "type: asha, grace_period: 3, reduction_factor: 3, ", "type: none, "
)


@pytest.mark.parametrize(
    ("second_version", "bound"), [(False, ""), (True, ", max_concurrent: 4")], ids=["v1-without-a-bound", "v2-bound"]
)
def test_a_cluster_grows_for_a_search_and_shrinks_again(second_version: bool, bound: str, tmp_path: Path) -> None:
    prepare(tmp_path, space=ENDLESS.replace(", max_concurrent: 2", bound))
    with autoscaled(second_version=second_version) as running:
        assert running.workers() == 0
        searching = running.search(tmp_path)
        until(lambda: searching.process.poll() is not None or len(nodes_of(tmp_path)) == 2)
        assert searching.process.poll() is None, searching.wait()[2]
        subprocess.run([sys.executable, "-m", "tuner", "stop", "s"], cwd=tmp_path, check=True, capture_output=True)
        code, _, err = searching.wait()
        assert code == 0, err
        until(lambda: running.workers() == 0)


def nodes_of(folder: Path) -> set[str]:
    return {start.node for trial in history(folder).trials.values() for start in trial.starts}
